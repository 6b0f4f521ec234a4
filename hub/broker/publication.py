"""A message: as it arrives, on its way to subscribers, and encoded for them. No protocol: see `Encode`.

An `Arrival` is what a client, a bridge or the hub itself publishes; a batch of them has one `Origin`. The broker numbers
it and makes it a `Publication`. Subscribers whose bytes are the same form a `Cohort`, which encodes a publication once for
all of them: every stompjs client calls its first subscription `sub-0`, so one cohort often is everybody.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.topics.destinations import Destination

OVERHEAD = 256  # bytes that a message counts for beside its body and headers


class Headers:
    """Headers of the sender that travel with a message, with the forms that encoders cache."""

    __slots__ = ("content_type", "encoded", "items", "retained", "size")

    def __init__(self, items: tuple[tuple[str, str], ...] = (), *, retained: bool = False) -> None:
        self.items = items
        self.content_type = next((value for name, value in items if name == "content-type"), None)
        self.retained = retained  # a bridge's mark of an old MQTT message
        self.size = sum([len(name) + len(value) for name, value in items])  # characters, for the bounds on memory
        self.encoded: dict[str, bytes] = {}  # by the encoders' own keys


NO_HEADERS = Headers()
JSON_HEADERS = Headers((("content-type", "application/json"),))


class Address:
    """Where a message goes, with the forms that encoders cache."""

    __slots__ = ("destination", "encoded", "name", "text")

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.name = destination.name
        self.text = destination.text
        self.encoded: dict[str, bytes] = {}


class Origin(NamedTuple):
    """Where a batch of messages comes from, which decides what is done with it."""

    name: str
    principal: str = ""  # who: a login, a bridge's name
    tapped: bool = False  # telemetry is looked for in it
    consumed: bool = False  # it reaches consumers, which take commands further
    kept: bool = True  # the last message of each topic is kept for `replay:last`

    @property
    def bridged(self) -> bool:
        """Whether it was MQTT."""
        return self.name == BRIDGE.name


CLIENT = Origin("client", tapped=True, consumed=True)
BRIDGE = Origin("bridge", tapped=True)
HUB = Origin("hub")
TELEMETRY = Origin("telemetry", kept=False)  # what the hub decoded; the pipeline knows the last ones, in full
COMMANDS = Origin("commands", consumed=True)  # of decoders to devices


class Publication(NamedTuple):
    """One message: where to, its number in this hub, body, the sender's headers."""

    address: Address
    number: int
    body: bytes
    headers: Headers = NO_HEADERS
    value: float | None = None  # of a reading, for dead-band; None for anything else

    @property
    def text(self) -> bool:
        """Whether the body is valid UTF-8."""
        return self.body.isascii() or _is_utf8(self.body)

    @property
    def size(self) -> int:
        """Return the bytes that it counts for in a bounded place."""
        return len(self.body) + self.headers.size + OVERHEAD


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


Extra = Sequence[tuple[str, str]]
Encode = Callable[[Publication, Extra, str | None], bytes]
"""Turns a publication into what one kind of subscriber reads: a STOMP MESSAGE, an SSE event, a line of NDJSON.

Takes what the broker adds for this subscriber alone (`ack`, `redelivered`, `dropped`; mostly nothing) and the
delivery's own message id, where it has one: None stands for the publication's number.
"""


class Cohort(NamedTuple):
    """Subscribers whose bytes are the same: their subscriptions have one key, and one encoder."""

    key: str
    encode: Encode

    def item(self, publication: Publication) -> "Item":
        """Encode for all members: nothing to acknowledge, nothing to add."""
        return new_item(Item, (self.encode(publication, (), None), self, publication, (), None, 0))

    def item_with(self, publication: Publication, extra: Extra, message_id: str | None, told: int = 0) -> "Item":
        """Encode for one member; `told` is the number of skipped messages that it reports."""
        more = [*extra, ("dropped", str(told))] if told else extra
        return Item(self.encode(publication, more, message_id), self, publication, tuple(extra), message_id, told)


class Item(NamedTuple):
    """Encoded bytes in an outbox. Only messages have a cohort; answers are never dropped."""

    wire: bytes
    cohort: Cohort | None = None
    publication: Publication | None = None
    extra: tuple[tuple[str, str], ...] = ()
    message_id: str | None = None
    told: int = 0  # skipped messages that it reports; to be reported again if it is dropped itself


# A NamedTuple's own constructor costs three times as much, for every message.
new_publication = new_item = tuple.__new__


def answer_item(wire: bytes) -> Item:
    """Return an outbox item for bytes that are not a message."""
    return new_item(Item, (wire, None, None, (), None, 0))


class Arrival(NamedTuple):
    """A message that somebody publishes; the origin of its batch says who and how."""

    address: Address  # a topic of the broker's, or the address of a queue: see `Broker.address`
    body: bytes
    headers: Headers = NO_HEADERS
    value: float | None = None
