"""Frames as they are read and written, and the words of the protocol.

A `Frame` is what a client sent. Its `Head` (command and headers) may be shared by many frames with the same bytes, so it
is never changed once made. `headers` keeps the first of repeated headers (STOMP 1.2, "Repeated Header Entries").
"""

from collections.abc import Mapping
from typing import NamedTuple

from hub.broker.publication import NO_HEADERS, Headers
from hub.refusal import Reason, Refusal, quoted

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


class Head:
    """Command and headers of a frame, with what is derived from them, once."""

    __slots__ = (
        "command",
        "content_length",
        "content_type",
        "headers",
        "kept_user_headers",
        "plain_send",
        "receipt",
        "retained",
        "size",
        "transaction",
        "wants_reply",
    )

    def __init__(self, command: str, headers: Mapping[str, str], content_length: int | None, size: int) -> None:
        self.command = command
        self.headers = headers
        self.size = size  # bytes of the block
        self.content_length = content_length
        self.receipt = headers.get("receipt")
        self.transaction = headers.get("transaction")
        self.content_type = headers.get("content-type")
        self.retained = headers.get("retained") in {"true", "True"}  # the bridge's mark of an old MQTT message
        self.wants_reply = "reply-to" in headers
        # A SEND that asks for nothing but to be routed: the hot path has nothing to check.
        self.plain_send = command == SEND and bool(headers.get("destination")) and _UNUSUAL.isdisjoint(headers)
        self.kept_user_headers: Headers | None = None

    @property
    def user_headers(self) -> Headers:
        """Return the headers of a SEND that travel to the MESSAGE."""
        if self.kept_user_headers is None:
            owned = CONSUMED | FORGEABLE
            items = tuple(
                item for item in self.headers.items() if item[0] not in owned and item[0].lower() not in SECRETS
            )
            self.kept_user_headers = Headers(items, retained=self.retained) if items else NO_HEADERS
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


class FrameError(Refusal):
    """The input is not a legal frame of the connection's version, or is larger than a limit."""


def missing_header(command: str, name: str, receipt: str | None) -> Refusal:
    """Return the refusal of a frame without a header that it needs."""
    return Refusal(Reason.MISSING_HEADER, f"{command} needs the header {quoted(name)}", about=name, receipt=receipt)
