"""STOMP frames into bytes: MESSAGEs for subscribers, and the hub's own answers.

`MessageEncoder` is what the broker calls an encoder. It writes the frame and what its transport puts before it (a
WebSocket header), so these bytes, too, are made once for all subscribers that share them.
"""

from collections.abc import Callable
from typing import Final

from hub.broker.publication import Address, Extra, Headers, Publication
from hub.stomp.dialects import OPENING, Dialect
from hub.stomp.escapes import escape

# Returns the bytes that go before a frame of this length on the wire; `text` says whether the frame is UTF-8.
Framing = Callable[[int, bool], bytes]

# A 1.0 subscription may have no id: its key is this (no header can contain NUL) and its destination, and its MESSAGEs
# have no subscription header.
UNNAMED: Final = "\0"
MAX_ENCODERS: Final = 100_000
MAX_KEY_BYTES: Final = 8_388_608  # of their subscription ids together


class MessageEncoder:
    """Publications into MESSAGE frames for the subscriptions of one id, version and framing."""

    __slots__ = ("_dialect", "_epoch", "_framing", "_head", "_version")

    def __init__(self, key: str, dialect: Dialect, framing: Framing, epoch: str) -> None:
        named = "" if key.startswith(UNNAMED) else f"subscription:{escape(key, dialect)}\n"
        self._head = f"MESSAGE\n{named}".encode()
        self._dialect = dialect
        self._version = dialect.version
        self._framing = framing
        self._epoch = epoch.encode()

    def __call__(self, publication: Publication, extra: Extra, message_id: str | None) -> bytes:
        """Return the bytes of one MESSAGE."""
        address, number, body, headers, _ = publication
        version = self._version
        head = self._head
        if extra:
            head += "".join([f"{name}:{value}\n" for name, value in extra if self._says(name)]).encode()
        frame = b"%bmessage-id:%b\n%bcontent-length:%d\n%b\n%b\0" % (
            head,
            b"%b-%d" % (self._epoch, number) if message_id is None else message_id.encode(),
            address.encoded.get(version) or encode_destination(address, self._dialect),
            len(body),
            (headers.encoded.get(version) or encode_user_headers(headers, self._dialect)) if headers.items else b"",
            body,
        )
        # RFC 6455, section 5.6: only UTF-8 may travel in a text message.
        return self._framing(len(frame), body.isascii() or publication.text) + frame

    def _says(self, name: str) -> bool:
        """Whether a version knows a header: 1.0 and 1.1 acknowledge by message-id."""
        return name != "ack" or self._dialect.ack_header


class Encoders:
    """The encoders of all connections, shared: equal ones are the same object, and so their subscribers one cohort."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._known: dict[tuple[str, str, Framing], MessageEncoder] = {}
        self._key_bytes = 0

    def of(self, key: str, dialect: Dialect, framing: Framing) -> MessageEncoder:
        """Return the encoder for a subscription id."""
        known = self._known.get((key, dialect.version, framing))
        if known is None:
            self._key_bytes += len(key)
            if len(self._known) >= MAX_ENCODERS or self._key_bytes > MAX_KEY_BYTES:
                # Subscriptions keep theirs; only new ones will not share with them.
                self._known.clear()
                self._key_bytes = len(key)
            known = MessageEncoder(key, dialect, framing, self._epoch)
            self._known[key, dialect.version, framing] = known
        return known


def encode_destination(address: Address, dialect: Dialect) -> bytes:
    """Return the header line of a destination, kept for the next time."""
    line = address.encoded[dialect.version] = f"destination:{escape(address.text, dialect)}\n".encode()
    return line


def encode_user_headers(headers: Headers, dialect: Dialect) -> bytes:
    """Return the header lines of a MESSAGE that came with the SEND, kept for the next time."""
    lines = []
    for name, value in headers.items:
        shown = escape(name, dialect)
        # 1.0 has no way to write a colon within a name.
        shown = shown if dialect.escapes else shown.replace(":", " ")
        lines.append(f"{shown}:{escape(value, dialect)}\n")
    encoded = headers.encoded[dialect.version] = "".join(lines).encode()
    return encoded


def encode_receipt(receipt: str, dialect: Dialect) -> bytes:
    """Encode a RECEIPT."""
    shown = receipt if receipt.isalnum() else escape(receipt, dialect)
    return b"RECEIPT\nreceipt-id:%b\n\n\0" % shown.encode()


def encode_frame(command: str, headers: list[tuple[str, str]], body: bytes, dialect: Dialect) -> bytes:
    """Encode a server frame; values are escaped but for CONNECTED, which is never escaped."""
    rules = OPENING if command == "CONNECTED" else dialect
    lines = [command, *(f"{name}:{escape(value, rules)}" for name, value in headers), "", ""]
    return b"".join(("\n".join(lines).encode(), body, b"\0"))
