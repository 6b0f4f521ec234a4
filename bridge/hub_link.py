"""The hub's side: the one place that knows stomp.py.

What it is: a supervisor of stomp.py connections (a new one for each attempt: none of its state survives a loss), and one
sender thread per connection, because stomp.py writes to its socket in the calling thread and blocks while the hub does
not read. Connection, heart-beats and the parsing of frames are the library's. What goes up is made elsewhere
(send_frames.py): a whole transaction is handed to the WebSocket of stomp.py's transport as one binary message.

Rules: stomp.py calls its listeners in its own threads, and an exception there closes the connection, so they only
enqueue to the event loop (`call_soon_threadsafe`); all of the state below changes on the loop. The names of stomp.py 9.0
that are used are held by tests/unit/bridge/test_stomp_contract.py.
"""

import asyncio
import contextlib
import logging
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import stomp
import structlog
from stomp.adapter.ws import WSStompConnection
from stomp.exception import ConnectFailedException, StompException
from websocket import ABNF, WebSocket, WebSocketException

from bridge import command_frames
from bridge.backoff import until_connected
from bridge.errors import HubUnreachableError
from bridge.relay import Loss
from bridge.send_frames import encode_status
from bridge.settings import BridgeSettings
from bridge.status import LastError
from hub.transports import bridges

# RFC 6455, 7.4.1: codes by which a server says that what we sent is wrong, and not that it is going away.
_BLAMING_CODES: Final = {1002, 1003, 1007, 1008, 1009, 1010}
_DISCONNECT_S: Final = 2.0
_END: Final = None
# The receipt of what is sent aside: a refusal of that is no refusal of messages.
STATUS_RECEIPT: Final = "status"

log = structlog.get_logger("bridge")


class _Reasons(logging.Handler):
    """Why a connection could not be made: stomp.py only logs that. Its log goes nowhere else; what matters is said here."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple) and str(record.msg).startswith("Could not connect"):
            self._of_thread.text = str(record.args[-1])

    def take(self) -> str:
        """Return the last reason in this thread."""
        text = str(getattr(self._of_thread, "text", ""))
        self._of_thread.text = ""
        return text


_reasons = _Reasons()
_stomp_log = logging.getLogger("stomp.py")
_stomp_log.addHandler(_reasons)
_stomp_log.setLevel(logging.WARNING)
_stomp_log.propagate = False


class HubEvents(Protocol):
    """What the link tells its owner, always on the event loop; none of it may raise."""

    def hub_connected(self) -> None:
        """CONNECTED: transactions may be sent."""

    def hub_receipt(self, ident: int) -> None:
        """The hub says that a transaction is durable."""

    def hub_command(self, index: int, ack_id: str, destination: str, body: bytes, content_type: str | None) -> None:
        """A message for the command filter with this index; to be acknowledged."""

    def hub_lost(self, loss: Loss, reason: str) -> None:
        """The connection is gone: what has no receipt must be sent again."""


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]
    """One connection's voice: each call is passed to the loop, with nothing done in stomp.py's threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: "_Connection") -> None:
        self._loop = loop
        self._connection = connection

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        # The loop may be closed when the program ends before stomp.py's thread does.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def on_connected(self, _frame: Any) -> None:
        self._connection.wait_without_limit()
        self._tell(self._connection.connected)

    def on_receipt(self, frame: Any) -> None:
        self._tell(self._connection.receipt, frame.headers.get("receipt-id", ""))

    def on_message(self, frame: Any) -> None:
        body = frame.body if isinstance(frame.body, bytes) else (frame.body or "").encode()
        self._tell(self._connection.message, dict(frame.headers), body)

    def on_error(self, frame: Any) -> None:
        body = frame.body or b""
        said = (
            frame.headers.get("message", ""),
            body.decode(errors="replace") if isinstance(body, bytes) else str(body),
        )
        reason = ": ".join(" ".join(text.split()) for text in said if text) or "without a reason"
        self._tell(self._connection.refused, f"ERROR: {reason[:300]}", frame.headers.get("receipt-id", ""))

    def on_disconnected(self) -> None:
        self._tell(self._connection.ended, "the connection was lost")

    def on_heartbeat_timeout(self) -> None:
        self._tell(self._connection.ended, "no heart-beat from the hub")


class _BinaryFrame(ABNF):
    """A WebSocket message whose masking costs 0.1 ns a byte instead of websocket-client's 5.

    That was a third of the bridge's CPU time. The frame goes to the WebSocket of stomp.py's transport, whose lock keeps
    it apart from stomp.py's own frames.
    """

    def _get_masked(self, mask_key: str | bytes) -> bytes:
        key = mask_key.encode() if isinstance(mask_key, str) else mask_key
        data = self.data.encode() if isinstance(self.data, str) else self.data
        padded = np.frombuffer(data + bytes(-len(data) % 4), np.uint32)
        masked = (padded ^ np.frombuffer(key, np.uint32)).tobytes()
        return key + masked[: len(data)]


class _Connection:
    """One stomp.py connection, from its WebSocket handshake to its end."""

    def __init__(self, settings: BridgeSettings, link: "HubLink") -> None:
        self._settings = settings
        self._link = link
        endpoint = settings.hub
        beat_ms = round(settings.hub_heart_beat_s * 1000)
        address = (endpoint.host, endpoint.port)
        self._stomp = WSStompConnection(
            [address],
            prefer_localhost=False,
            try_loopback_connect=False,
            reconnect_attempts_max=1,
            reconnect_sleep_initial=0,
            reconnect_sleep_max=0,
            timeout=settings.connect_timeout_s,
            heartbeats=(beat_ms, beat_ms),
            vhost=endpoint.host,
            auto_decode=False,
            ws_path=endpoint.path,
            binary_mode=True,
        )
        if endpoint.tls:
            self._stomp.set_ssl([address], ssl_version=ssl.PROTOCOL_TLS_CLIENT)
        transport = self._stomp.transport
        transport.receive = self._receive
        self._stomp.set_listener("bridge", _Listener(asyncio.get_running_loop(), self))
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self._refusal = ""
        self._ours = ""
        self._close_code = 0
        # A second descriptor of the socket: stomp.py closes its own when heart-beats stop, which wakes no reader.
        self._cutter: socket.socket | None = None
        self._websocket: WebSocket | None = None
        self.reason = ""
        self.subscribed = 0  # of the command filters
        # More than can be on their way: transactions, answers to commands, their SUBSCRIBEs, what is sent aside, the end
        # mark.
        size = settings.transactions_in_flight + settings.command_prefetch * len(settings.commands) + 3
        self._outbox: queue.Queue[bytes | None] = queue.Queue(maxsize=size)
        self._sender = threading.Thread(target=self._send_all, name="bridge-to-hub", daemon=True)

    # In a thread.

    def open(self) -> None:
        """Connect and send STOMP; blocks. The answer comes to the listener."""
        passcode = self._settings.hub_passcode
        try:
            self._stomp.connect(
                self._settings.hub_login,
                None if passcode is None else passcode.get_secret_value(),
                wait=False,
                headers={bridges.HEADER: self._settings.bridge_name},
            )
        except ConnectFailedException:
            raise HubUnreachableError(_reasons.take() or "cannot connect") from None

    def wait_without_limit(self) -> None:
        """Take the handshake's time limit off the socket: from now on heart-beats tell who is alive."""
        websocket = self._stomp.transport.socket
        if websocket is not None:
            websocket.settimeout(None)
            self._websocket = websocket
            self._cutter = socket.socket(fileno=os.dup(websocket.sock.fileno()))

    def _receive(self) -> bytes:
        """Do what WSTransport.receive does, and keep the close code, which it would read as data."""
        websocket = self._stomp.transport.socket
        if websocket is None:
            return b""
        try:
            opcode, data = websocket.recv_data()
        except (OSError, WebSocketException):
            return b""
        if opcode == ABNF.OPCODE_CLOSE:
            self._close_code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 0
            return b""
        return bytes(data)

    def _send_all(self) -> None:
        while (buffer := self._outbox.get()) is not _END:
            websocket = self._stomp.transport.socket
            try:
                if websocket is None:
                    return
                websocket.send_frame(_BinaryFrame(1, 0, 0, 0, ABNF.OPCODE_BINARY, 1, buffer))
            except (OSError, WebSocketException, StompException):
                # The reading side notices as well, and tells the loop.
                self.abort()
                return

    def abort(self) -> None:
        """Cut the connection, waking whoever waits for its socket; from any thread."""
        with contextlib.suppress(OSError):
            if self._cutter is not None:
                self._cutter.shutdown(socket.SHUT_RDWR)
            elif (websocket := self._stomp.transport.socket) is not None:
                websocket.abort()

    # On the loop.

    def connected(self) -> None:
        if not self.up.done():
            self._sender.start()
            self.up.set_result(None)

    def receipt(self, ident: bytes | str) -> None:
        text = ident.decode() if isinstance(ident, bytes) else ident
        if text.isdecimal():
            self._link.events.hub_receipt(int(text))
        elif text == command_frames.RECEIPT:
            self.subscribed += 1

    def message(self, headers: dict[str, str], body: bytes) -> None:
        # What was read after the end was noticed cannot be acknowledged any more.
        if not self.over.is_set():
            index, ack_id = int(headers["subscription"]), headers["ack"]
            self._link.events.hub_command(index, ack_id, headers["destination"], body, headers.get("content-type"))

    def refused(self, reason: str, receipt: str) -> None:
        if receipt == STATUS_RECEIPT:
            log.error("hub.status_refused", reason=reason, consequence="no status is sent any more")
            self._link.takes_status = False
            self._ours = reason
        elif receipt == command_frames.RECEIPT:
            log.error("hub.commands_refused", reason=reason, consequence="no commands go down any more")
            self._link.takes_commands = False
            self._ours = reason
        else:
            self._refusal = reason
        # The server closes after ERROR (STOMP 1.2); it may leave that to us.
        self.abort()

    def ended(self, reason: str) -> None:
        if not self._refusal and self._close_code:
            reason = f"WebSocket close code {self._close_code}"
        reason = self._refusal or self._ours or reason
        if not self.up.done():
            self.up.set_exception(HubUnreachableError(reason))
        self.reason = reason
        self.over.set()

    @property
    def loss(self) -> Loss:
        """Whose doing the end was."""
        if self._refusal or self._close_code in _BLAMING_CODES:
            return Loss.REFUSED
        return Loss.OURS if self._ours else Loss.LOST

    def send(self, buffer: bytes) -> None:
        self._outbox.put_nowait(buffer)

    def send_aside(self, buffer: bytes) -> None:
        """Send unless something waits: what is sent aside is replaced a second later, and takes no room."""
        if self._outbox.empty():
            self._outbox.put_nowait(buffer)

    def end(self, reason: str) -> None:
        """End the connection from our side."""
        self._ours = reason
        self.abort()

    def disconnect(self) -> None:
        """Say DISCONNECT; blocks, for a thread."""
        with contextlib.suppress(OSError, WebSocketException, StompException):
            self._stomp.disconnect()

    async def finish(self) -> None:
        """Wait for its threads, so that none outlives the connection."""
        self.abort()
        with contextlib.suppress(queue.Full):
            self._outbox.put_nowait(_END)
        try:
            for thread in (self._sender, self._stomp.transport.io_thread):
                if thread is not None and thread.ident is not None:
                    await asyncio.to_thread(thread.join, _DISCONNECT_S)
        finally:
            if self._websocket is not None:
                # After a close frame from the hub, websocket-client's own close() leaves the descriptor open.
                self._websocket.shutdown()  # type: ignore[no-untyped-call]
            if self._cutter is not None:
                self._cutter.close()
                self._cutter = None


class HubLink:
    """Keep one connection to the hub, from `run` until `close`."""

    def __init__(self, settings: BridgeSettings, events: HubEvents) -> None:
        self._settings = settings
        self.events = events
        self.detail = "not connected yet"
        self.last_error: LastError | None = None
        self.takes_status = True
        self.takes_commands = bool(settings.commands)
        self._connection: _Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether transactions may be sent."""
        return self._connection is not None

    async def run(self) -> None:
        """Connect, wait for the end, connect again; ends by cancellation."""
        while True:
            await until_connected(self.connect, self._settings.reconnect_max_s, self._failed)
            connection = self._connection
            if connection is None:
                continue
            self.events.hub_connected()
            await connection.over.wait()
            self._connection = None
            self.detail = connection.reason
            self.last_error = LastError(connection.reason, time.time_ns() // 1000)
            log.warning("hub.lost", reason=connection.reason, loss=connection.loss.name)
            self.events.hub_lost(connection.loss, connection.reason)
            await connection.finish()

    def _failed(self, reason: str) -> None:
        if reason != self.detail:  # once, not at each attempt
            log.warning("hub.unreachable", hub=str(self._settings.hub), reason=reason)
        self.detail = reason
        self.last_error = LastError(reason, time.time_ns() // 1000)

    async def connect(self) -> None:
        """Connect once; raise HubUnreachableError."""
        connection = _Connection(self._settings, self)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await asyncio.to_thread(connection.open)
                await connection.up
        except (OSError, TimeoutError, WebSocketException, StompException, HubUnreachableError) as error:
            await connection.finish()
            timeout = f"no connection within {self._settings.connect_timeout_s:g} s"
            reason = timeout if isinstance(error, TimeoutError) else str(error) or "cannot connect"
            raise HubUnreachableError(reason) from error
        self._connection = connection
        self.detail = "connected"
        log.info("hub.connected", hub=str(self._settings.hub))

    @property
    def subscribed(self) -> bool:
        """Whether commands come, if they are to."""
        connection = self._connection
        return not self.takes_commands or (
            connection is not None and connection.subscribed == len(self._settings.commands)
        )

    def subscribe(self) -> None:
        """Ask for commands, unless the hub did not want that."""
        if self.takes_commands:
            self.send(command_frames.subscribe(self._settings.commands, self._settings.command_prefetch))

    def send(self, buffer: bytes) -> None:
        """Send a transaction or answers on the present connection; nothing to do without one: it will be sent again."""
        if self._connection is not None:
            self._connection.send(buffer)

    def send_status(self, destination: str, body: bytes) -> None:
        """Send a status report, unless transactions wait to be written or the hub did not want one."""
        if self._connection is not None and self.takes_status:
            self._connection.send_aside(encode_status(destination, STATUS_RECEIPT, body))

    def reconnect(self, reason: str) -> None:
        """Give the present connection up."""
        if self._connection is not None:
            self._connection.end(reason)

    async def close(self) -> None:
        """DISCONNECT and wait, bounded, for the end; to be called after `run` was cancelled."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        await asyncio.to_thread(connection.disconnect)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCONNECT_S):
                await connection.over.wait()
        await connection.finish()
