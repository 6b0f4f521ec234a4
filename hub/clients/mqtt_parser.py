"""Bytes from an MQTT broker -> what they say: the PUBLISHes and the PUBACKs that one read brought, as one list each.

It is not a client: every other packet goes whole to `on_packet` (paho handles it), and nothing here knows a socket. Order
holds: what came before such a packet is handed over before it.
MQTT 3.1.1 and 5 differ in one place, the property section of a PUBLISH, which is handed over undecoded: decoding costs
paho 12 us a message, and a device's sections are mostly empty or all the same.
"""

from collections.abc import Callable
from typing import Final, Protocol

# (packet id as its two bytes, or b"" at QoS 0; topic; payload; first byte of the packet with its flags; the properties of
# MQTT 5 as they came). A plain tuple: at 100,000 a second a class with names costs as much as all the parsing. The names of
# its places are the next five.
Publish = tuple[bytes, bytes, bytes, int, bytes]
MID: Final = 0
TOPIC: Final = 1
PAYLOAD: Final = 2
FLAGS: Final = 3
PROPERTIES: Final = 4

# Packet id and reason code; 3.1.1 has no codes, all of its PUBACKs say 0 (MQTT 5, 3.4.2.1).
Puback = tuple[int, int]
FIRST_FAILURE: Final = 0x80  # reason codes from here on say that something was refused (MQTT 5, 2.4)

DUP: Final = 0x08
RETAIN: Final = 0x01
QOS: Final = 0x06
QOS_1: Final = 0x02
PUBLISH: Final = 0x30
PUBACK: Final = 0x40

# Nothing but PUBLISH is long; a SUBACK for 1,000 filters has 1,002 bytes.
_MAX_CONTROL_BYTES: Final = 64 * 1024
# Fixed header (5), topic with its length (2 + 65,535), packet id (2): what is needed to acknowledge a message unread.
_HEAD_BYTES: Final = 5 + 2 + 65_535 + 2


class MqttProtocolError(Exception):
    """The broker sent bytes that are not MQTT: the connection is closed."""


class PacketEvents(Protocol):
    """What a parser reports; none of it may raise."""

    def messages(self, burst: list[Publish]) -> None:
        """Take what one read brought, in order."""

    def too_large(self, topic: bytes, size: int) -> None:
        """Note a message above the limit; it comes in the next burst with an empty topic, to be acknowledged only."""

    def pubacks(self, pubacks: list[Puback]) -> None:
        """Take the acknowledgements that one read brought, in order."""


class PacketParser:
    """Cut a byte stream into messages; hold at most one incomplete packet of at most `max_bytes`."""

    __slots__ = ("_events", "_max_bytes", "_mqtt5", "_on_packet", "_rest", "_skip")

    def __init__(
        self, events: PacketEvents, on_packet: Callable[[int, bytes], bool], *, mqtt5: bool, max_bytes: int
    ) -> None:
        """Set who gets the packets.

        `on_packet(first byte, rest)` says whether to go on. The payload of a PUBLISH above `max_bytes` is skipped as it
        comes.
        """
        self._events = events
        self._on_packet = on_packet
        self._mqtt5 = mqtt5
        self._max_bytes = max_bytes
        self._rest = b""
        self._skip = 0

    @property
    def torn(self) -> bool:
        """Whether a packet has begun and is not complete."""
        return bool(self._rest or self._skip)

    def reset(self) -> None:
        """Forget what an earlier connection left."""
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:  # noqa: C901, PLR0912, PLR0915 - a call for each packet would cost as much again
        """Parse `data`, hand over what is complete, keep the rest; raise MqttProtocolError for what is not MQTT."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        buf = self._rest + data if self._rest else data
        have = len(buf)
        at = 0
        burst: list[Publish] = []
        append = burst.append
        pubacks: list[Puback] = []
        mqtt5 = self._mqtt5
        properties = b""
        max_bytes = self._max_bytes
        while have - at >= 2:
            first = buf[at]
            length = buf[at + 1]
            body = at + 2
            if length & 0x80:
                if body < have and buf[body] < 0x80:  # two digits, 128 to 16,383 bytes: most messages
                    length += (buf[body] - 1) << 7
                    body += 1
                else:
                    length, body = _long_length(buf, body, length)
                    if not body:
                        break
            end = body + length
            if first & 0xF0 == PUBLISH:
                if length > max_bytes:
                    if have < min(end, at + _HEAD_BYTES):
                        break
                    append(self._acknowledge_only(buf, first, body, length))
                    self._skip = max(0, end - have)
                    at = min(end, have)
                    continue
                if end > have:
                    break
                topic = body + 2
                topic_end = topic + (buf[body] << 8 | buf[body + 1]) if length > 2 else end + 1
                qos = first & QOS
                payload = topic_end + 2 if qos else topic_end
                if mqtt5 and payload < end:
                    if buf[payload]:
                        start, payload = _property_section(buf, payload)
                        properties = buf[start:payload]
                    else:
                        payload += 1
                        properties = b""
                if payload > end or qos > QOS_1:
                    raise MqttProtocolError(_bad_publish(first))
                mid = buf[topic_end : topic_end + 2] if qos else b""
                append((mid, buf[topic:topic_end], buf[payload:end], first, properties))
                at = end
                continue
            if length > _MAX_CONTROL_BYTES:
                raise MqttProtocolError(f"a packet of type {first >> 4} with {length} bytes")
            if end > have:
                break
            at = end
            if first == PUBACK and length >= 2:
                pubacks.append((buf[body] << 8 | buf[body + 1], buf[body + 2] if length > 2 else 0))
                continue
            if burst or pubacks:
                self._hand_over(burst, pubacks)
                burst, pubacks = [], []
                append = burst.append
            if not self._on_packet(first, buf[body:end]):
                self.reset()
                return
        self._rest = buf[at:] if at else buf
        self._hand_over(burst, pubacks)

    def _hand_over(self, burst: list[Publish], pubacks: list[Puback]) -> None:
        if burst:
            self._events.messages(burst)
        if pubacks:
            self._events.pubacks(pubacks)

    def _acknowledge_only(self, buf: bytes, first: int, body: int, length: int) -> Publish:
        topic_end = body + 2 + (buf[body] << 8 | buf[body + 1])
        self._events.too_large(buf[body + 2 : topic_end], length)
        return (buf[topic_end : topic_end + 2] if first & QOS else b"", b"", b"", first, b"")


def _bad_publish(first: int) -> str:
    if first & QOS > QOS_1:
        return "a PUBLISH at QoS 2 or 3, though the subscription asks for QoS 1"
    return "a PUBLISH whose lengths do not fit its packet"


def _long_length(buf: bytes, at: int, first_digit: int) -> tuple[int, int]:
    """Return (remaining length, where the body begins); (0, 0) while its digits are incomplete (MQTT 3.1.1, 2.2.3)."""
    length = first_digit & 0x7F
    shift = 7
    while True:
        if at >= len(buf):
            return 0, 0
        digit = buf[at]
        at += 1
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            return length, at
        shift += 7
        if shift > 21:
            raise MqttProtocolError("a remaining length of more than four bytes")


def _property_section(buf: bytes, at: int) -> tuple[int, int]:
    """Return where a property section and the payload behind it begin (MQTT 5, 3.3.2.3)."""
    length = buf[at]
    at += 1
    if length & 0x80:
        length, at = _long_length(buf, at, length)
        if not at:
            raise MqttProtocolError("a property length that its packet does not hold")
    return at, at + length
