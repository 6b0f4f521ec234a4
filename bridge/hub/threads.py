"""Threads meet the event loop here: stomp.py's voice, the thread that writes to the hub, and why stomp.py could not connect.

Each call of stomp.py's threads is passed to the loop, with nothing done here: an exception in a listener would close the
connection. stomp.py looks the listener's methods up by their names, and wants no base class;
tests/unit/bridge/test_stomp_contract.py holds them.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

_MAX_REASON_CHARS: Final = 300
_END: Final = None


class ConnectionEvents(Protocol):
    """A connection, on the event loop; but `wait_without_limit`, which is called in stomp.py's thread."""

    def wait_without_limit(self) -> None:
        """The handshake is complete."""

    def connected(self) -> None:
        """CONNECTED."""

    def receipt(self, ident: str) -> None:
        """RECEIPT."""

    def message(self, headers: dict[str, str], body: bytes) -> None:
        """MESSAGE."""

    def refused(self, reason: str, receipt: str) -> None:
        """ERROR, for the frame that asked for this receipt."""

    def ended(self, said: str) -> None:
        """The connection has ended."""


class HubListener:
    """The listener of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: ConnectionEvents) -> None:
        self._loop = loop
        self._connection = connection

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        # The loop may be closed when the program ends before stomp.py's thread does.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def on_connected(self, _frame: Any) -> None:
        """Begin."""
        self._connection.wait_without_limit()
        self._tell(self._connection.connected)

    def on_receipt(self, frame: Any) -> None:
        """Pass the receipt's name on."""
        self._tell(self._connection.receipt, frame.headers.get("receipt-id", ""))

    def on_message(self, frame: Any) -> None:
        """Pass a command on."""
        self._tell(self._connection.message, dict(frame.headers), _bytes(frame.body))

    def on_error(self, frame: Any) -> None:
        """Pass on, in one line, what the hub says against us."""
        said = (frame.headers.get("message", ""), _bytes(frame.body).decode(errors="replace"))
        reason = ": ".join(" ".join(text.split()) for text in said if text) or "without a reason"
        receipt = frame.headers.get("receipt-id", "")
        self._tell(self._connection.refused, f"ERROR: {reason[:_MAX_REASON_CHARS]}", receipt)

    def on_disconnected(self) -> None:
        """End."""
        self._tell(self._connection.ended, "the connection was lost")

    def on_heartbeat_timeout(self) -> None:
        """End."""
        self._tell(self._connection.ended, "no heart-beat from the hub")


def _bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""


class HubSender:
    """The thread that writes to the hub: stomp.py writes in the calling thread, and blocks while the hub does not read.

    It hands buffers to `write`, in order, until `write` returns False or `finish` is called. One for each
    connection, and bounded: more buffers than the hub can owe answers for would be a bug of ours.
    """

    def __init__(self, write: Callable[[bytes], bool], size: int) -> None:
        self._write = write
        self._outbox: queue.Queue[bytes | None] = queue.Queue(maxsize=size)
        self.thread = threading.Thread(target=self._run, name="bridge-to-hub", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self.thread.start()

    def send(self, buffer: bytes) -> None:
        """Send it after what waits."""
        self._outbox.put_nowait(buffer)

    def send_aside(self, buffer: bytes) -> None:
        """Send unless something waits: what is sent aside is replaced a second later, and takes no room."""
        if self._outbox.empty():
            self._outbox.put_nowait(buffer)

    def finish(self) -> None:
        """Let the thread end after what it is writing; with a full outbox it ends by the connection's end."""
        with contextlib.suppress(queue.Full):
            self._outbox.put_nowait(_END)

    def _run(self) -> None:
        while (buffer := self._outbox.get()) is not _END:
            if not self._write(buffer):
                return


class _Reasons(logging.Handler):
    """Why stomp.py could not connect, by thread: it raises without a reason, and logs it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and str(record.msg).startswith("Could not connect"):
            self._of_thread.text = str(record.args[-1])

    def take(self) -> str:
        text = str(getattr(self._of_thread, "text", ""))
        self._of_thread.text = ""
        return text


_reasons: Final = _Reasons()


def take_over_log() -> None:
    """Take over stomp.py's log, again if somebody else in the process has turned it off; what matters is said here."""
    log = logging.getLogger("stomp.py")
    log.addHandler(_reasons)
    log.setLevel(logging.WARNING)
    log.propagate = False


def take_reason() -> str:
    """Return why the last attempt in this thread failed, once; empty when nothing was said."""
    return _reasons.take()
