"""stomp.py as a test uses it, with types: the library ships none. Frames come in its threads and are kept in lists.

Nothing is decided here: what is called is the library's own method of that name.
"""

import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import stomp
from stomp.adapter.ws import WSStompConnection

from tests.support.hub import RunningHub
from tests.support.waiting import wait_for

VERSIONS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


@dataclass(frozen=True, slots=True)
class Received:
    """A frame that the library gave."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Heard:
    """What one connection received, each kind in order."""

    messages: list[Received] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    errors: list[Received] = field(default_factory=list)
    heart_beat_timeouts: int = 0
    disconnected: threading.Event = field(default_factory=threading.Event)


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def on_message(self, frame: Any) -> None:
        self._heard.messages.append(_received(frame))

    def on_error(self, frame: Any) -> None:
        self._heard.errors.append(_received(frame))

    def on_receipt(self, frame: Any) -> None:
        self._heard.receipts.append(frame.headers["receipt-id"])

    def on_disconnected(self) -> None:
        self._heard.disconnected.set()

    def on_heartbeat_timeout(self) -> None:
        self._heard.heart_beat_timeouts += 1


class StompPy:
    """One connection of stomp.py; `kind` is a version over TCP, or `websocket` (which is 1.2)."""

    def __init__(self, hub: RunningHub, kind: str, *, heart_beat_ms: tuple[int, int] = (0, 0)) -> None:
        self.kind = kind
        self.heard = Heard()
        self._left = threading.Event()
        options: dict[str, Any] = {"auto_decode": False, "reconnect_attempts_max": 1}
        if kind == "websocket":
            # Bodies that are not UTF-8 may not travel in its default, text messages.
            self._connection = WSStompConnection(
                [("127.0.0.1", hub.port)], ws_path="/ws", binary_mode=True, heartbeats=heart_beat_ms, **options
            )
        else:
            beats = {} if kind == "1.0" else {"heartbeats": heart_beat_ms}
            self._connection = VERSIONS[kind]([("127.0.0.1", hub.stomp_port)], **beats, **options)
        self._connection.set_listener("test", _Listener(self.heard))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        if self.heard.errors:
            assert self.heard.disconnected.wait(10)  # the hub closes behind an ERROR: no DISCONNECT may race that
        if self._connection.is_connected():
            self._connection.disconnect()
            assert self.heard.disconnected.wait(10)

    @property
    def version(self) -> str:
        return "1.2" if self.kind == "websocket" else self.kind

    def connect(self, login: str | None = None, passcode: str | None = None) -> Self:
        self._connection.connect(login, passcode, wait=True)
        return self

    def subscribe(self, destination: str, ack: str = "auto", key: str = "1", **headers: str) -> None:
        """Subscribe and wait for the receipt."""
        if self.kind == "1.0":
            self._connection.subscribe(destination, ack=ack, headers={"receipt": f"sub-{key}", "id": key, **headers})
        else:
            self._connection.subscribe(destination, id=key, ack=ack, headers={"receipt": f"sub-{key}", **headers})
        wait_for(lambda: f"sub-{key}" in self.heard.receipts)

    def unsubscribe(self, key: str = "1") -> None:
        self._connection.unsubscribe(id=key)

    def send(self, destination: str, body: str | bytes, **headers: str) -> None:
        transaction = headers.pop("transaction", None)
        more = {"transaction": transaction} if transaction else {}
        self._connection.send(
            destination, body, headers={name.replace("_", "-"): headers[name] for name in headers}, **more
        )

    def ack(self, message: Received, transaction: str | None = None) -> None:
        self._settle(self._connection.ack, message, transaction)

    def nack(self, message: Received) -> None:
        self._settle(self._connection.nack, message, None)

    def begin(self) -> str:
        transaction: str = self._connection.begin()
        return transaction

    def commit(self, transaction: str, receipt: str) -> None:
        self._connection.commit(transaction, headers={"receipt": receipt})

    def abort(self, transaction: str, receipt: str) -> None:
        self._connection.abort(transaction, headers={"receipt": receipt})

    def disconnect(self, receipt: str) -> None:
        self._connection.disconnect(receipt)

    def stop_beating(self) -> None:
        """Have the library send nothing more, as a process does that hangs."""
        self._connection.transport.transmit = lambda _frame: None

    def deafen(self) -> None:
        """Have the library read nothing more, as behind a network that lost the way back."""

        def nothing() -> bytes:
            self._left.wait()
            return b""

        self._connection.transport.receive = nothing

    def messages(self, count: int, deadline_s: float = 10.0) -> list[Received]:
        """Wait for so many messages in all."""
        wait_for(lambda: len(self.heard.messages) >= count or self.heard.errors, deadline_s)
        assert [] == self.heard.errors
        return self.heard.messages

    def _settle(self, call: Any, message: Received, transaction: str | None) -> None:
        if self.version == "1.2":
            call(message.headers["ack"], transaction)
        elif self.version == "1.1":
            call(message.headers["message-id"], message.headers["subscription"], transaction)
        else:
            call(message.headers["message-id"], transaction)


def _received(frame: Any) -> Received:
    body = frame.body if isinstance(frame.body, bytes) else (frame.body or "").encode()
    return Received(dict(frame.headers), body)
