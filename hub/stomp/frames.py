"""Frames as they are read and written, and the words of the protocol.

A `Frame` is what a client sent. Its `Head` (command and headers) may be shared by many frames with the same octets, so it
is never changed after it was made. `headers` keeps the first of repeated headers (STOMP 1.2, "Repeated Header Entries").
"""

from collections.abc import Mapping
from typing import NamedTuple

CONNECT = "CONNECT"
STOMP = "STOMP"
CONNECTED = "CONNECTED"
SEND = "SEND"
SUBSCRIBE = "SUBSCRIBE"
UNSUBSCRIBE = "UNSUBSCRIBE"
ACK = "ACK"
NACK = "NACK"
BEGIN = "BEGIN"
COMMIT = "COMMIT"
ABORT = "ABORT"
DISCONNECT = "DISCONNECT"
MESSAGE = "MESSAGE"
RECEIPT = "RECEIPT"
ERROR = "ERROR"

CLIENT_COMMANDS = frozenset({CONNECT, STOMP, SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK, BEGIN, COMMIT, ABORT, DISCONNECT})
MAX_COMMAND = 32


class Side(NamedTuple):
    """What one side of a connection may send."""

    commands: frozenset[str]
    with_body: frozenset[str]
    cached: bool
    """Whether the same header block comes again: a MESSAGE has an id of its own."""


CLIENT = Side(CLIENT_COMMANDS, frozenset({SEND}), cached=True)
SERVER = Side(frozenset({CONNECTED, MESSAGE, RECEIPT, ERROR}), frozenset({MESSAGE, ERROR}), cached=False)

# Headers of a SEND that are not the sender's to set on the MESSAGE, or that are meant for the server alone.
FORGEABLE = frozenset({"subscription", "ack", "redelivered", "dropped"})
CONSUMED = frozenset(
    {"destination", "content-length", "receipt", "transaction", "receipt-id", "message-id", "login", "passcode"}
)
SECRETS = frozenset({"authorization"})

# What makes a SEND more than a message to be routed; a receipt is answered on the way.
_UNUSUAL = frozenset({"transaction", "message-id", "reply-to"})

MAX_QUOTE = 64


class Head:
    """Command and headers of a frame, with what is derived from them once."""

    __slots__ = (
        "checked",
        "command",
        "content_length",
        "content_type",
        "headers",
        "kept_user_headers",
        "plain_send",
        "receipt",
        "retained",
        "transaction",
        "wants_reply",
    )

    def __init__(self, command: str, headers: Mapping[str, str], content_length: int | None) -> None:
        self.command = command
        self.headers = headers
        self.content_length = content_length
        self.receipt = headers.get("receipt")
        self.transaction = headers.get("transaction")
        self.content_type = headers.get("content-type")
        self.retained = "retained" in headers  # the bridge's mark of an old MQTT message
        self.wants_reply = "reply-to" in headers
        self.checked = False  # a SEND with this head was found routable; what is checked never changes
        # A SEND that asks for nothing but to be routed: the hot path has nothing to check.
        self.plain_send = command == SEND and bool(headers.get("destination")) and _UNUSUAL.isdisjoint(headers)
        self.kept_user_headers: UserHeaders | None = None

    @property
    def user_headers(self) -> "UserHeaders":
        """Give the headers of a SEND that travel to the MESSAGE."""
        if self.kept_user_headers is None:
            owned = CONSUMED | FORGEABLE
            items = tuple(
                item for item in self.headers.items() if item[0] not in owned and item[0].lower() not in SECRETS
            )
            self.kept_user_headers = UserHeaders(items) if items else NO_HEADERS
        return self.kept_user_headers


class Frame(NamedTuple):
    """One frame from a client."""

    head: Head
    body: bytes
    receipt: str | None  # asked for; not always in the head, which frames with other receipts may share

    @property
    def command(self) -> str:
        return self.head.command

    @property
    def headers(self) -> Mapping[str, str]:
        return self.head.headers


class UserHeaders:
    """Headers that pass through the hub, with their encoded forms kept per escape rule."""

    __slots__ = ("encoded", "items", "size")

    def __init__(self, items: tuple[tuple[str, str], ...] = ()) -> None:
        self.items = items
        self.size = sum([len(name) + len(value) for name, value in items])  # characters, for the bounds on memory
        # Filled by `hub.stomp.encoder.encode_user_headers`, keyed by the dialect's name.
        self.encoded: dict[str, bytes] = {}


NO_HEADERS = UserHeaders()


def quoted(text: str) -> str:
    """Quote client text in an explanation: bounded, on one line."""
    shown = text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "…"
    return '"' + shown.encode("unicode_escape").decode("ascii") + '"'
