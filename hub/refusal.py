"""What a client is refused, and how each transport says so.

Everything that can be wrong with what a client asks for has a `Reason`. The part that finds it raises one `Refusal` with
the reason and a detail for people: what, where, what to do. `ANSWERS` is the one table that says what the client gets:
the `message` header of a STOMP ERROR, the WebSocket close code that follows it (RFC 6455, section 7.4.1), the status of an
HTTP answer (RFC 9110, section 15), and whether it is worth trying the same again. docs/reference/refusals.md is
generated from it.

Neither reason nor detail ever quotes a passcode or a payload.
"""

import sys
from enum import Enum, IntEnum
from typing import NamedTuple

MAX_QUOTE = 64


class CloseCode(IntEnum):
    """The WebSocket close codes that the hub sends."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013


class Reason(Enum):
    """Why something is refused; the value is the stable text that clients see."""

    # Frames that cannot be read.
    BAD_FRAME = "Bad frame"
    UNKNOWN_COMMAND = "Unknown command"
    BAD_ESCAPE = "Bad escape"
    BAD_CONTENT_LENGTH = "Bad content-length"
    UNEXPECTED_BODY = "Unexpected body"
    BODY_TOO_LARGE = "Body too large"
    HEADERS_TOO_LARGE = "Headers too large"
    TOO_MANY_HEADERS = "Too many headers"
    # Frames at the wrong time, or not complete.
    TOO_MUCH_BEFORE_CONNECT = "Too much before CONNECT"
    NOT_CONNECTED = "Not connected"
    ALREADY_CONNECTED = "Already connected"
    VERSION_MISMATCH = "Version mismatch"
    BAD_CONNECT = "Bad CONNECT"
    BAD_HEART_BEAT = "Bad heart-beat"
    MISSING_HEADER = "Missing header"
    BAD_HEADER = "Bad header"
    NOT_SUPPORTED = "Not supported"
    TIMEOUT = "Timeout"
    # Transactions.
    BAD_TRANSACTION = "Bad transaction"
    UNKNOWN_TRANSACTION = "Unknown transaction"
    TOO_MANY_TRANSACTIONS = "Too many transactions"
    TRANSACTION_TOO_LARGE = "Transaction too large"
    # Destinations, subscriptions, acknowledgements.
    BAD_DESTINATION = "Bad destination"
    NOT_ALLOWED = "Not allowed"
    DUPLICATE_SUBSCRIPTION = "Duplicate subscription"
    UNKNOWN_SUBSCRIPTION = "Unknown subscription"
    TOO_MANY_SUBSCRIPTIONS = "Too many subscriptions"
    UNKNOWN_ACK_ID = "Unknown ack id"
    QUEUE_FULL = "Queue full"
    TOO_MANY_QUEUES = "Too many queues"
    NO_REPLY_QUEUE = "Reply gone"
    SLOW_CONSUMER = "slow consumer"
    MEMORY_FULL = "Memory full"
    # What the hub could not do.
    NOT_CONFIRMED = "Not confirmed"
    NOT_STORED = "Not stored"


class Answer(NamedTuple):
    """What the client gets for a reason."""

    close_code: CloseCode
    http_status: int
    retry: bool
    """Whether the same request can succeed later without a change."""
    meaning: str


_PROTOCOL, _POLICY, _BIG = CloseCode.PROTOCOL_ERROR, CloseCode.POLICY_VIOLATION, CloseCode.TOO_BIG
_LATER, _INTERNAL = CloseCode.TRY_AGAIN_LATER, CloseCode.INTERNAL_ERROR

ANSWERS: dict[Reason, Answer] = {
    Reason.BAD_FRAME: Answer(_PROTOCOL, 400, False, "the bytes are not a STOMP frame"),
    Reason.UNKNOWN_COMMAND: Answer(_PROTOCOL, 400, False, "the first line of the frame is no command of a client"),
    Reason.BAD_ESCAPE: Answer(_PROTOCOL, 400, False, "a backslash stands before a character that has no escape"),
    Reason.BAD_CONTENT_LENGTH: Answer(_PROTOCOL, 400, False, "content-length is no number, or not the body's length"),
    Reason.UNEXPECTED_BODY: Answer(_PROTOCOL, 400, False, "the command cannot have a body"),
    Reason.BODY_TOO_LARGE: Answer(_BIG, 413, False, "the body exceeds `limits.body_bytes`"),
    Reason.HEADERS_TOO_LARGE: Answer(
        _BIG,
        431,
        False,
        "a header line or all of them exceed `limits.header_line_bytes` or `limits.header_block_bytes`",
    ),
    Reason.TOO_MANY_HEADERS: Answer(_BIG, 431, False, "more header lines than `limits.headers`"),
    Reason.TOO_MUCH_BEFORE_CONNECT: Answer(_BIG, 413, False, "more than `limits.opening_bytes` before the login"),
    Reason.NOT_CONNECTED: Answer(_PROTOCOL, 401, False, "the first frame must be CONNECT or STOMP"),
    Reason.ALREADY_CONNECTED: Answer(_PROTOCOL, 400, False, "a second CONNECT on one connection"),
    Reason.VERSION_MISMATCH: Answer(_PROTOCOL, 400, False, "no version of STOMP in common"),
    Reason.BAD_CONNECT: Answer(_POLICY, 401, False, "wrong login or passcode, or none where users are configured"),
    Reason.BAD_HEART_BEAT: Answer(_PROTOCOL, 400, False, "heart-beat is not two numbers of milliseconds"),
    Reason.MISSING_HEADER: Answer(_PROTOCOL, 400, False, "the command needs a header that is not there"),
    Reason.BAD_HEADER: Answer(_PROTOCOL, 400, False, "a header or option has a value that it cannot have"),
    Reason.NOT_SUPPORTED: Answer(_POLICY, 501, False, "another broker's feature; the detail names what to use instead"),
    Reason.TIMEOUT: Answer(_POLICY, 408, True, "CONNECT or the rest of a frame did not come in time"),
    Reason.BAD_TRANSACTION: Answer(_PROTOCOL, 400, False, "a transaction of this name is already open"),
    Reason.UNKNOWN_TRANSACTION: Answer(_PROTOCOL, 400, False, "no transaction of this name is open"),
    Reason.TOO_MANY_TRANSACTIONS: Answer(_PROTOCOL, 400, False, "more open transactions than `limits.transactions`"),
    Reason.TRANSACTION_TOO_LARGE: Answer(
        _BIG, 413, False, "more than `limits.transaction_frames` or `limits.transaction_bytes`"
    ),
    Reason.BAD_DESTINATION: Answer(_PROTOCOL, 400, False, "the destination or topic filter is not legal"),
    Reason.NOT_ALLOWED: Answer(_POLICY, 403, False, "the login may not do this there"),
    Reason.DUPLICATE_SUBSCRIPTION: Answer(_PROTOCOL, 409, False, "the subscription id is in use on this connection"),
    Reason.UNKNOWN_SUBSCRIPTION: Answer(_PROTOCOL, 404, False, "no subscription has this id on this connection"),
    Reason.TOO_MANY_SUBSCRIPTIONS: Answer(_POLICY, 429, False, "more subscriptions than `limits.subscriptions`"),
    Reason.UNKNOWN_ACK_ID: Answer(_PROTOCOL, 404, False, "no message with this id waits for an acknowledgement"),
    Reason.QUEUE_FULL: Answer(_LATER, 503, True, "the queue holds `limits.queue_messages` or `limits.queue_bytes`"),
    Reason.TOO_MANY_QUEUES: Answer(_LATER, 503, True, "there are `limits.queues` work queues"),
    Reason.NO_REPLY_QUEUE: Answer(_PROTOCOL, 410, False, "nobody waits on this temporary queue (any more)"),
    Reason.MEMORY_FULL: Answer(
        _LATER, 503, True, "what clients make the hub keep reaches `limits.memory_bytes`, or the work queues half of it"
    ),
    Reason.SLOW_CONSUMER: Answer(
        _POLICY,
        408,
        True,
        "the peer does not read what it subscribed to; closed without an ERROR, which it would not read",
    ),
    Reason.NOT_CONFIRMED: Answer(_INTERNAL, 504, True, "a consumer did not acknowledge the message in time"),
    Reason.NOT_STORED: Answer(_INTERNAL, 503, True, "the readings could not be made durable"),
}


class Refusal(Exception):  # noqa: N818 - an answer that is due, not a failure of the hub
    """What a client asked for is not done."""

    def __init__(self, reason: Reason, detail: str, *, about: str = "", receipt: str | None = None) -> None:
        """Take the reason; `about` names the header, option or destination; `receipt` is what the frame asked for."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.about = about
        self.receipt = receipt

    @property
    def answer(self) -> Answer:
        """Return what the client gets."""
        return ANSWERS[self.reason]

    @property
    def summary(self) -> str:
        """Return reason and subject in one line: many clients show no more than this."""
        return f"{self.reason.value} ({shown(self.about)})" if self.about else self.reason.value

    def __str__(self) -> str:
        return f"{self.summary}: {self.detail}"


def shown(text: str) -> str:
    """Return a client's text on one line, bounded in length."""
    text = text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "..."
    return text.encode("unicode_escape").decode("ascii")


def quoted(text: str) -> str:
    """Quote a client's text in an explanation: bounded, on one line."""
    return f'"{shown(text)}"'


_HEAD = """# Refusals

What a client is told when the hub does not do what it asks for. A STOMP client gets one ERROR frame, whose `message` header
is the reason and what it is about (`Bad header (max-rate)`) and whose body explains; then the connection closes, a WebSocket
with the code below (RFC 6455, section 7.4.1). HTTP requests are answered by the status. "Again" says whether the same
request can succeed later without a change.

Each refusal is one line in the log, with peer and login, once a minute for the same peer and reason, and is counted in
`hub_errors_total`.

<!-- Below: written by `make docs` from hub/refusal.py. -->

"""


def page() -> str:
    """Return docs/reference/refusals.md."""
    rows = [
        f"| `{reason.value}` | {answer.close_code.value} | {answer.http_status} | {'yes' if answer.retry else 'no'} "
        f"| {answer.meaning} |"
        for reason, answer in sorted(ANSWERS.items(), key=lambda row: row[0].value)
    ]
    return (
        _HEAD + "\n".join(["| Reason | Close code | HTTP | Again | Meaning |", "|---|---|---|---|---|", *rows]) + "\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
