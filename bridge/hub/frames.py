"""The STOMP frames of the bridge (1.2), each way in one buffer: messages -> a transaction; SUBSCRIBEs, ACKs, the status.

It is not a STOMP client: it knows no connection. The payload goes as it came, with its content-length always; the MQTT
topic goes unchanged behind `/topic/`, escaped as headers are ("Value Encoding"); the properties of MQTT 5 go as headers
(property_headers.py), the retain flag as `retained:true`. A message alone is a SEND with a receipt, without a transaction.

Every transaction has the same id, `t`: each goes in one piece, so that only one is ever open on a connection, and the
header block of a device's SEND stays the same bytes, which the hub decodes once.

On the way down there is one SUBSCRIBE for each command filter, whose index is the subscription's id. `receipt-after-ack`
makes the hub receipt a command after our ACK, so that its sender knows that the MQTT broker has it.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final

from bridge.down.commands import Answer
from bridge.errors import CommandTopicError, UnsendableTopicError
from bridge.hub.property_headers import PropertyHeaders, escape
from hub.clients.mqtt_parser import RETAIN, TOPIC, Publish
from hub.stomp.header_block import CodecLimits
from hub.topics.bridging import Carried

# Bytes of a SEND besides topic and payload, rounded up: command, header names, length digits, NUL.
FRAME_OVERHEAD_BYTES = 80
# A fleet of 100,000 topics costs about 25 MiB here; beyond it the cache starts anew.
MAX_CACHED_TOPICS = 100_000

_MAX_LINE_BYTES = CodecLimits().header_line_bytes
_topic_of = itemgetter(TOPIC)
_BEGIN = b"BEGIN\ntransaction:t\n\n\0"
_COMMIT = b"COMMIT\ntransaction:t\nreceipt:%d\n\n\0"

# The receipts of what goes beside messages; no numbers, as those of transactions are. A refusal of that is no refusal of
# messages.
STATUS_RECEIPT: Final = "status"
COMMANDS_RECEIPT: Final = "commands"

OnUnsendable = Callable[[UnsendableTopicError], None]


class Destinations(dict[bytes, bytes]):
    """MQTT topic -> the destination and what follows it up to the length; bounded by starting anew."""

    def __init__(self, commands: Sequence[str] = ()) -> None:
        """Take the filters of what never goes up."""
        super().__init__()
        self._carried = Carried(commands)
        self._refused: dict[bytes, str] = {}  # topics of commands found before; bounded in the same way

    def __missing__(self, topic: bytes) -> bytes:
        """Build the entry; raise UnsendableTopicError for what the hub would refuse, or what goes down only."""
        if topic in self._refused:
            raise CommandTopicError(topic, self._refused[topic])
        try:
            refusal = self._carried.refusal(topic.decode())
        except UnicodeDecodeError:
            raise UnsendableTopicError(topic, "the topic is not UTF-8") from None
        if refusal is not None and refusal.command:
            if len(self._refused) >= MAX_CACHED_TOPICS:
                self._refused.clear()
            self._refused[topic] = refusal.reason
            raise CommandTopicError(topic, refusal.reason)
        if refusal is not None:
            raise UnsendableTopicError(topic, refusal.reason)
        destination = b"destination:/topic/%b" % escape(topic)
        if len(destination) > _MAX_LINE_BYTES:
            raise UnsendableTopicError(
                topic, f"the header would have {len(destination)} bytes, and the hub takes {_MAX_LINE_BYTES}"
            )
        if len(self) >= MAX_CACHED_TOPICS:
            self.clear()
        headers = self[topic] = b"%b\ncontent-length:" % destination
        return headers


def encode(
    ident: int,
    messages: Sequence[Publish],
    destinations: Destinations,
    properties: PropertyHeaders,
    on_unsendable: OnUnsendable,
) -> bytes:
    """Return the frames of one transaction; its receipt will be `ident`.

    Messages that cannot be sent are reported and left out; the transaction goes without them, empty if need be, so that
    its receipt acknowledges them in their turn.
    """
    try:
        ways = list(map(destinations.__getitem__, map(_topic_of, messages)))
    except UnsendableTopicError:
        messages = [message for message in messages if _sendable(message[TOPIC], destinations, on_unsendable)]
        ways = [destinations[topic] for topic in map(_topic_of, messages)]
    alone = len(messages) == 1
    head = b"SEND\nreceipt:%d\n" % ident if alone else b"SEND\ntransaction:t\n"
    retained = head + b"retained:true\n"
    frames = [
        b"%b%b%b%d\n\n%b\0" % (retained if first & RETAIN else head, properties[section], way, len(payload), payload)
        for (_, _, payload, first, section), way in zip(messages, ways, strict=True)
    ]
    if alone:
        return frames[0]
    return b"%b%b%b" % (_BEGIN, b"".join(frames), _COMMIT % ident)


def _sendable(topic: bytes, destinations: Destinations, on_unsendable: OnUnsendable) -> bool:
    try:
        destinations[topic]
    except UnsendableTopicError as error:
        on_unsendable(error)
        return False
    return True


def encode_status(destination: str, body: bytes) -> bytes:
    """Return the SEND of a status report; an ERROR for it names its receipt."""
    head = f"SEND\ndestination:{destination}\ncontent-type:application/json\nreceipt:{STATUS_RECEIPT}\ncontent-length:"
    return b"%b%d\n\n%b\0" % (head.encode(), len(body), body)


def encode_subscriptions(filters: Sequence[str], prefetch: int) -> bytes:
    """Return the SUBSCRIBEs in one buffer; all of them name the receipt, as an ERROR for any is about this."""
    return b"".join(
        b"SUBSCRIBE\nid:%d\ndestination:/topic/%b\nack:client-individual\nprefetch-count:%d\nreceipt-after-ack:true\n"
        b"receipt:%b\n\n\0" % (index, escape(text.encode()), prefetch, COMMANDS_RECEIPT.encode())
        for index, text in enumerate(filters)
    )


def encode_answers(answers: Iterable[Answer]) -> bytes:
    """Return ACKs and NACKs in one buffer."""
    return b"".join(
        b"ACK\nid:%b\n\n\0" % ack_id.encode()
        if refusal is None
        else b"NACK\nid:%b\nreason:%b\n\n\0" % (ack_id.encode(), escape(refusal.encode()))
        for ack_id, refusal in answers
    )
