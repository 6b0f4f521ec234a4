"""The server's side of one STOMP connection as a state machine, without I/O.

`receive` takes bytes and the time, and returns events in order; the caller acts on each and writes what it answers.
`TRANSITIONS` is the machine; docs/reference/states.md draws it.

Events are: `Connect`, a `Frame` (SEND, SUBSCRIBE, UNSUBSCRIBE, ACK, NACK outside transactions; DISCONNECT), `Commit`,
`Receipt` (BEGIN, ABORT: nothing else is to be done) and, last, `Failure`. SENDs within a transaction are checked on
arrival by the capability `check_send`, so that a bad one is refused before COMMIT.
"""

from collections.abc import Callable, Container
from enum import Enum
from typing import NamedTuple

from hub.refusal import Reason, Refusal
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import OPENING, VERSIONS, Dialect, negotiate
from hub.stomp.encoder import encode_frame
from hub.stomp.frames import (
    ABORT,
    ACK,
    BEGIN,
    COMMIT,
    CONNECT,
    CONNECTED,
    DISCONNECT,
    ERROR,
    NACK,
    SEND,
    STOMP,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Frame,
    FrameError,
    Head,
    missing_header,
)
from hub.stomp.header_block import CodecLimits
from hub.stomp.heartbeat import Heartbeat, offer_for, parse_heart_beat
from hub.stomp.transactions import TransactionLimits, Transactions

SERVER = "telemetry-hub/0.1"


class State(Enum):
    """Where a connection is in its life."""

    WAITING = "waiting"
    PENDING = "pending"
    OPEN = "open"
    DISCONNECTING = "disconnecting"
    FAILED = "failed"


class Input(Enum):
    """What moves a connection from state to state."""

    CONNECT = "CONNECT or STOMP"
    ACCEPTED = "login accepted"
    FRAME = "another frame"
    DISCONNECT = "DISCONNECT"
    FAULT = "refused"
    CLOSED = "connection closed"


TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.WAITING, Input.CONNECT): State.PENDING,  # what is pipelined behind it waits for the answer
    (State.WAITING, Input.FAULT): State.FAILED,  # another frame is one, too
    (State.WAITING, Input.CLOSED): State.DISCONNECTING,
    (State.PENDING, Input.ACCEPTED): State.OPEN,
    (State.PENDING, Input.FAULT): State.FAILED,
    (State.PENDING, Input.CLOSED): State.DISCONNECTING,
    (State.OPEN, Input.FRAME): State.OPEN,
    (State.OPEN, Input.DISCONNECT): State.DISCONNECTING,
    (State.OPEN, Input.FAULT): State.FAILED,
    (State.OPEN, Input.CLOSED): State.DISCONNECTING,
    (State.DISCONNECTING, Input.FAULT): State.FAILED,
}
"""What is not here changes nothing: input after DISCONNECT is ignored, after a fault discarded."""


class Connect(NamedTuple):
    """The client asks to open; answer with `Session.accept` or `Session.fail`."""

    headers: dict[str, str]


class Commit(NamedTuple):
    """A transaction is to be applied: its frames in order, then the COMMIT's own receipt."""

    frames: list[Frame]
    receipt: str | None
    settles: bool  # whether there are ACKs or NACKs among them


class Receipt(NamedTuple):
    """Answer a receipt; there is nothing else to do."""

    receipt: str


class Failure(NamedTuple):
    """The connection has ended: write the ERROR, then close with the error's code."""

    error: Refusal


Event = Connect | Frame | Commit | Receipt | Failure

_TRANSACTIONAL = frozenset({SEND, ACK, NACK})


class SessionLimits(NamedTuple):
    """Bounds for one session."""

    codec: CodecLimits = CodecLimits()
    transactions: TransactionLimits = TransactionLimits()
    opening_bytes: int = 8_192
    heart_beat_min_ms: int = 1_000
    heart_beat_max_ms: int = 60_000


class Session:
    """One connection's protocol state."""

    __slots__ = (
        "_check_send",
        "_checked",
        "_decoder",
        "_limits",
        "_opening_bytes",
        "_transactions",
        "dialect",
        "heartbeat",
        "state",
    )

    def __init__(
        self,
        limits: SessionLimits,
        caches: HeaderCache,
        check_send: Callable[[Frame], None],
        checked: Container[Head] = frozenset(),
    ) -> None:
        """Set the bounds, the shared cache, the check of a SEND, and the heads of SENDs that need no further check."""
        self.state = State.WAITING
        self.dialect: Dialect = OPENING
        self.heartbeat: Heartbeat | None = None
        self._limits = limits
        self._check_send = check_send
        self._checked = checked
        self._decoder = FrameDecoder(limits.codec, caches)
        self._opening_bytes = 0
        self._transactions: Transactions | None = None

    @property
    def frame_started(self) -> bool:
        """Whether the peer has begun a frame that is not complete."""
        return self._decoder.started

    @property
    def frame_new(self) -> bool:
        """Whether that frame began with the bytes received last."""
        return self._decoder.started_anew

    @property
    def gathering(self) -> bool:
        """Whether transactions are open."""
        return self._transactions is not None and len(self._transactions) > 0

    @property
    def kept_bytes(self) -> int:
        """Return the memory that is taken: open transactions, and the frame that is under way."""
        return self._decoder.kept_bytes + (0 if self._transactions is None else self._transactions.bytes)

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take bytes and return what they mean. After a Connect event call again, with no bytes, once it is answered."""
        if self.state is State.OPEN:
            return self._receive_open(data, now)
        if self.state is State.WAITING or self.state is State.PENDING:
            return self._receive_opening(data)
        return []

    def _receive_open(self, data: bytes, now: float) -> list[Event]:
        events: list[Event] = []
        if self.heartbeat is not None:
            self.heartbeat.last_received = now
        try:
            for frame in self._decoder.feed(data):
                head = frame[0]
                if head.plain_send and self.state is State.OPEN:
                    events.append(frame)
                elif head in self._checked and self._transactions is not None and self.state is State.OPEN:
                    self._transactions.add(head.transaction or "", frame)
                elif (event := self._open_event(frame)) is not None:
                    events.append(event)
        except Refusal as error:
            events.append(self._failure(error))
            return events
        if self._decoder.error is not None and self.state is State.OPEN:
            events.append(self._failure(self._decoder.error))
        return events

    def _receive_opening(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        # Only bytes within the budget are read, so that the answer does not depend on how the stream was cut.
        room = max(0, self._limits.opening_bytes - self._opening_bytes)
        self._opening_bytes += len(data)
        frames = self._decoder.feed(data[:room]) if self.state is State.WAITING else []
        if frames:
            self._decoder.hold(data[room:])
            try:
                events.append(self._connect_event(frames[0]))
            except Refusal as error:
                events.append(self._failure(error))
        elif self._decoder.error is not None:
            events.append(self._failure(self._decoder.error))
        elif len(data) > room:
            over = f"more than {self._limits.opening_bytes} bytes came before the connection was open"
            events.append(self._failure(FrameError(Reason.TOO_MUCH_BEFORE_CONNECT, over)))
        elif self.state is State.PENDING:
            self._decoder.hold(data)
        return events

    def accept(self, session_id: str, now: float) -> bytes:
        """Open the connection; return the CONNECTED frame."""
        if self.heartbeat is None:
            raise RuntimeError("accept is the answer to a Connect event")
        self._move(Input.ACCEPTED)
        self._decoder.use(self.dialect)
        self.heartbeat.last_received = self.heartbeat.last_sent = now
        sends, wants = self.heartbeat.offer
        headers = [
            ("version", self.dialect.version),
            ("heart-beat", f"{sends},{wants}"),
            ("session", session_id),
            ("server", SERVER),
        ]
        return encode_frame(CONNECTED, headers, b"", self.dialect)

    def fail(self, error: Refusal) -> bytes:
        """End the connection; return the ERROR frame that must be written before it closes."""
        self._failure(error)
        body = error.detail.encode()
        headers = [("message", error.summary)]
        if error.receipt is not None:
            headers.append(("receipt-id", error.receipt))
        headers += [("version", VERSIONS), ("content-type", "text/plain"), ("content-length", str(len(body)))]
        return encode_frame(ERROR, headers, body, self.dialect)

    def close(self) -> None:
        """Forget what is open: the connection is gone."""
        self._move(Input.CLOSED)
        self._decoder.forget()
        if self._transactions is not None:
            self._transactions.clear()

    def _failure(self, error: Refusal) -> Failure:
        if self._transactions is not None:
            self._transactions.clear()
        self._move(Input.FAULT)
        return Failure(error)

    def _move(self, by: Input) -> None:
        self.state = TRANSITIONS.get((self.state, by), self.state)

    def _connect_event(self, frame: Frame) -> Connect:
        headers = frame.headers
        if frame.command not in {CONNECT, STOMP}:
            raise Refusal(Reason.NOT_CONNECTED, f"the first frame must be CONNECT or STOMP, not {frame.command}")
        dialect = negotiate(headers.get("accept-version"))
        if dialect is None:
            raise Refusal(Reason.VERSION_MISMATCH, f"Supported versions are {VERSIONS}")
        if dialect.trims_values:
            # Such a CONNECT was read before the version was known.
            headers = {name: value.lstrip(" ") for name, value in headers.items()}
        client = parse_heart_beat(headers.get("heart-beat"))
        client = client if dialect.heart_beats else (0, 0)
        offer = offer_for(client, self._limits.heart_beat_min_ms, self._limits.heart_beat_max_ms)
        self.dialect = dialect
        self.heartbeat = Heartbeat(client, offer, 0.0)
        self._move(Input.CONNECT)
        return Connect(dict(headers))

    def _open_event(self, frame: Frame) -> Event | None:
        """Check a frame of an open connection and turn it into its event; None if it waits for COMMIT."""
        if self.state is not State.OPEN:
            return None
        head = frame.head
        command = head.command
        headers = head.headers
        if command == SEND:
            if not headers.get("destination"):
                raise missing_header(SEND, "destination", frame.receipt)
            if "message-id" in headers:
                text = "the hub sets message-id; a SEND cannot"
                raise Refusal(Reason.BAD_HEADER, text, about="message-id", receipt=frame.receipt)
            if head.transaction is None:
                return frame
            self._check_send(frame)
            self._opened().add(head.transaction, frame)
            return None
        return self._rare_event(frame, command, frame.receipt)

    def _rare_event(self, frame: Frame, command: str, receipt: str | None) -> Event | None:
        headers = frame.head.headers
        if command in {CONNECT, STOMP}:
            raise Refusal(Reason.ALREADY_CONNECTED, f"{command} on a connection that is open")
        if command in {BEGIN, COMMIT, ABORT}:
            name = headers.get("transaction")
            if name is None:
                raise missing_header(command, "transaction", receipt)
            if command == COMMIT:
                transaction = self._opened().commit(name, receipt)
                return Commit(transaction.frames, receipt, transaction.settles)
            if command == BEGIN:
                self._opened().begin(name, receipt)
            else:
                self._opened().abort(name, receipt)
            return None if receipt is None else Receipt(receipt)
        if command in {ACK, NACK}:
            if self.dialect.ack_key not in headers:
                raise missing_header(command, self.dialect.ack_key, receipt)
            if "transaction" in headers:
                self._opened().settle(headers["transaction"], frame)
                return None
        elif command == SUBSCRIBE:
            self._check_subscribe(frame, receipt)
        elif command == UNSUBSCRIBE:
            if "id" not in headers and (self.dialect.subscription_id_required or "destination" not in headers):
                raise missing_header(UNSUBSCRIBE, "id", receipt)
        elif command == DISCONNECT:
            self._move(Input.DISCONNECT)
            if self._transactions is not None:
                self._transactions.clear()
        return frame

    def _check_subscribe(self, frame: Frame, receipt: str | None) -> None:
        headers = frame.head.headers
        if not headers.get("destination"):
            raise missing_header(SUBSCRIBE, "destination", receipt)
        if "id" not in headers and self.dialect.subscription_id_required:
            raise missing_header(SUBSCRIBE, "id", receipt)

    def _opened(self) -> Transactions:
        if self._transactions is None:
            self._transactions = Transactions(self._limits.transactions)
        return self._transactions
