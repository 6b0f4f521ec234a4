"""A message on its way to subscribers, and its octets.

The MESSAGE frame, its WebSocket header included, is the same octets for all subscribers that share a subscription id, a
dialect and a framing: such subscribers form a `Cohort`, and a cohort encodes a publication once. Every stompjs client
calls its first subscription `sub-0`, so one cohort often is everybody.
"""

from collections.abc import Callable
from typing import NamedTuple

from hub.stomp.dialects import Dialect
from hub.stomp.encoder import encode_user_headers
from hub.stomp.escapes import escape
from hub.stomp.frames import NO_HEADERS, UserHeaders

# Gives the octets that go before a frame of this length on the wire; `text` says whether the frame is UTF-8.
Framing = Callable[[int, bool], bytes]


class Address:
    """A destination as it is written into MESSAGE frames, kept per dialect."""

    __slots__ = ("blocks", "destination")

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self.blocks: dict[str, bytes] = {}

    def block(self, dialect: Dialect) -> bytes:
        """Give the destination's header line."""
        block = self.blocks.get(dialect.version)
        if block is None:
            block = f"destination:{escape(self.destination, dialect)}\n".encode()
            self.blocks[dialect.version] = block
        return block


class Publication(NamedTuple):
    """One message: where to, its number (the hub-wide message-id), body, the sender's headers."""

    address: Address
    number: int
    body: bytes
    headers: UserHeaders = NO_HEADERS
    value: float | None = None  # of a reading, for dead-band; None for anything else

    @property
    def text(self) -> bool:
        """Whether the body is valid UTF-8, and so may travel in a WebSocket text message (RFC 6455, section 5.6)."""
        return self.body.isascii() or _is_utf8(self.body)

    def frame(self, head: bytes, message_id: bytes, dialect: Dialect) -> bytes:
        """Give a MESSAGE frame; `head` is the command and the lines of the subscriber."""
        address, _, body, headers, _ = self
        return b"%bmessage-id:%b\n%bcontent-length:%d\n%b\n%b\0" % (
            head,
            message_id,
            address.blocks.get(dialect.version) or address.block(dialect),
            len(body),
            (headers.encoded.get(dialect.version) or encode_user_headers(headers, dialect)) if headers.items else b"",
            body,
        )

    @property
    def size(self) -> int:
        """Give the octets that it counts for in a bounded place."""
        return len(self.body) + self.headers.size + OVERHEAD


OVERHEAD = 256  # headers and bookkeeping


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


# A NamedTuple's own constructor costs three times as much, for every message.
new_publication = _new_item = tuple.__new__

# A 1.0 subscription may have no id: its key is this (no header can contain NUL) and its destination, and its MESSAGEs
# have no subscription header.
UNNAMED = "\0"


class Cohort:
    """Subscribers whose frames are the same octets."""

    __slots__ = ("dialect", "framing", "head", "key")

    def __init__(self, key: str, dialect: Dialect, framing: Framing) -> None:
        self.key = key
        self.dialect = dialect
        self.framing = framing
        named = "" if key.startswith(UNNAMED) else f"subscription:{escape(key, dialect)}\n"
        self.head = f"MESSAGE\n{named}".encode()

    def encode(self, publication: Publication) -> "Item":
        """Encode for all members: auto acknowledgement, nothing to add."""
        frame = publication.frame(self.head, b"%d" % publication[1], self.dialect)
        text = publication[2].isascii() or publication.text
        return _new_item(Item, (self.framing(len(frame), text) + frame, self, publication, (), None, 0))

    def encode_with(self, publication: Publication, extra: list[tuple[str, str]], message_id: str | None) -> "Item":
        """Encode for one member, with headers of its own; `message_id` stands for the publication's number."""
        head = self.head + "".join(f"{name}:{value}\n" for name, value in extra).encode()
        number = str(publication.number) if message_id is None else message_id
        frame = publication.frame(head, number.encode(), self.dialect)
        wire = self.framing(len(frame), publication.text) + frame
        return Item(wire, self, publication, tuple(extra), message_id)


class Item(NamedTuple):
    """An encoded frame in an outbox. Only MESSAGEs have a cohort; other frames are never dropped."""

    wire: bytes
    cohort: Cohort | None = None
    publication: Publication | None = None
    extra: tuple[tuple[str, str], ...] = ()
    message_id: str | None = None
    told: int = 0  # the value of its `dropped` header; still to be told if this message is dropped too


def control_item(wire: bytes) -> Item:
    """Give an outbox item for a frame that is not a MESSAGE."""
    return _new_item(Item, (wire, None, None, (), None, 0))
