"""One connection to the hub, from its WebSocket handshake to its end: the one place that knows stomp.py.

It is never used again after its end: none of stomp.py's state survives a loss; the next attempt makes a new one
(link.py). Connection, heart-beats and the parsing of frames are the library's. What goes up is encoded elsewhere
(frames.py): a whole transaction is handed to the WebSocket of stomp.py's transport as one binary message.

stomp.py's threads only enqueue to the event loop, and one of ours writes (threads.py); all of the state below changes on
the loop. The names of stomp.py 9.0 that are used are held by
tests/unit/bridge/test_stomp_contract.py.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from typing import Final, Protocol

from stomp.adapter.ws import WSStompConnection
from stomp.exception import ConnectFailedException, StompException
from websocket import ABNF, WebSocket, WebSocketException

from bridge.errors import HubUnreachableError
from bridge.hub.ending import Ending
from bridge.hub.frames import COMMANDS_RECEIPT, STATUS_RECEIPT
from bridge.hub.threads import HubListener, HubSender, take_over_log, take_reason
from bridge.settings import BridgeSettings
from hub.access.logins import BRIDGE_HEADER
from hub.websocket.frames import BINARY, client_frame

_JOIN_S: Final = 2.0
_ASIDE: Final = {STATUS_RECEIPT, COMMANDS_RECEIPT}
BROKEN: Final = (OSError, WebSocketException, StompException)


class FrameEvents(Protocol):
    """What the hub sends, on the event loop; none of it may raise."""

    def hub_receipt(self, ident: int) -> None:
        """The hub says that a transaction is durable."""

    def hub_command(self, index: int, ack_id: str, destination: str, body: bytes, content_type: str | None) -> None:
        """A message for the command filter with this index; to be acknowledged."""


class _BinaryMessage(ABNF):
    """A WebSocket message as client_frame makes it: websocket-client's masking took a third of the bridge's CPU time."""

    def __init__(self, buffer: bytes) -> None:
        super().__init__(1, 0, 0, 0, BINARY, 1, buffer)
        self._buffer = buffer

    def format(self) -> bytes:
        return client_frame(BINARY, self._buffer)


class HubConnection:
    """A stomp.py connection: `open` in a thread, then `up`; `over` at its end."""

    def __init__(self, settings: BridgeSettings, events: FrameEvents) -> None:
        take_over_log()
        self._settings = settings
        self._events = events
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.ending = Ending()
        self.receipts = 0  # of transactions
        self.subscribed = 0  # of the command filters
        self._stomp = self._new_stomp()
        # A second descriptor of the socket: stomp.py closes its own when heart-beats stop, which wakes no reader.
        self._cutter: socket.socket | None = None
        self._websocket: WebSocket | None = None
        # More than can be on their way: transactions, answers to commands, their SUBSCRIBEs, what is sent aside, the end
        # mark.
        size = settings.transactions_in_flight + settings.command_prefetch * len(settings.commands) + 3
        self.sender = HubSender(self._write, size)

    def _new_stomp(self) -> WSStompConnection:
        endpoint = self._settings.hub
        address = (
            f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host,
            endpoint.port,
        )  # stomp.py makes a URL of it
        beat_ms = round(self._settings.hub_heart_beat_s * 1000)
        connection = WSStompConnection(
            [address],
            prefer_localhost=False,
            try_loopback_connect=False,
            reconnect_attempts_max=1,
            reconnect_sleep_initial=0,
            reconnect_sleep_max=0,
            timeout=self._settings.connect_timeout_s,
            heartbeats=(beat_ms, beat_ms),
            vhost=endpoint.host,
            auto_decode=False,
            ws_path=endpoint.path,
            binary_mode=True,
        )
        if endpoint.secure:
            connection.set_ssl([address], ssl_version=ssl.PROTOCOL_TLS_CLIENT)
        connection.transport.receive = self._receive
        connection.set_listener("bridge", HubListener(asyncio.get_running_loop(), self))
        return connection

    # In a thread.

    def open(self) -> None:
        """Connect and send STOMP; blocks. The answer comes to the listener."""
        passcode = self._settings.hub_passcode
        try:
            self._stomp.connect(
                self._settings.hub_login,
                None if passcode is None else passcode.get_secret_value(),
                wait=False,
                headers={BRIDGE_HEADER: self._settings.bridge_name},
            )
        except ConnectFailedException:
            raise HubUnreachableError(take_reason() or "cannot connect") from None
        except ValueError as error:  # a host name that is none
            raise HubUnreachableError(f"no connection can be made: {error}") from error

    def wait_without_limit(self) -> None:
        """Remove the handshake's time limit from the socket: from now on heart-beats show who is alive."""
        websocket = self._stomp.transport.socket
        if websocket is not None:
            websocket.settimeout(None)
            self._cutter = socket.socket(fileno=os.dup(websocket.sock.fileno()))

    def _receive(self) -> bytes:
        """Do what WSTransport.receive does, and keep the close code, which it would read as data."""
        websocket = self._websocket = self._stomp.transport.socket or self._websocket
        if websocket is None:
            return b""
        try:
            opcode, data = websocket.recv_data()
        except (OSError, WebSocketException):
            return b""
        if opcode == ABNF.OPCODE_CLOSE:
            self.ending.close_code = int.from_bytes(data[:2], "big") if len(data) >= 2 else 0
            return b""
        return bytes(data)

    def _write(self, buffer: bytes) -> bool:
        """Write a buffer as one message; say whether the connection goes on."""
        websocket = self._stomp.transport.socket
        if websocket is None:
            return False
        try:
            websocket.send_frame(_BinaryMessage(buffer))
        except BROKEN:
            self.abort()  # the reading side notices, and informs the loop
            return False
        return True

    def abort(self) -> None:
        """Cut the connection, waking whoever waits for its socket; from any thread."""
        with contextlib.suppress(OSError):
            if self._cutter is not None:
                self._cutter.shutdown(socket.SHUT_RDWR)
            elif (websocket := self._stomp.transport.socket) is not None:
                websocket.abort()

    def disconnect(self) -> None:
        """Send DISCONNECT; blocks."""
        with contextlib.suppress(*BROKEN):
            self._stomp.disconnect()

    # On the loop.

    def connected(self) -> None:
        """CONNECTED."""
        if not self.up.done():
            self.sender.start()
            self.up.set_result(None)

    def receipt(self, ident: str) -> None:
        """RECEIPT."""
        if ident.isdecimal():
            self.receipts += 1
            self._events.hub_receipt(int(ident))
        elif ident == COMMANDS_RECEIPT:
            self.subscribed += 1

    def message(self, headers: dict[str, str], body: bytes) -> None:
        """Pass a MESSAGE on; one read after the end was noticed can no longer be acknowledged."""
        if not self.over.is_set():
            index, ack_id = int(headers["subscription"]), headers["ack"]
            self._events.hub_command(index, ack_id, headers["destination"], body, headers.get("content-type"))

    def refused(self, reason: str, receipt: str) -> None:
        """ERROR. The server closes after it (STOMP 1.2); it may leave that to us."""
        if receipt in _ASIDE:
            self.ending.refused_aside = receipt
            self.ending.ours = reason
        else:
            self.ending.refusal = reason
        self.abort()

    def ended(self, said: str) -> None:
        """Note the end of the connection."""
        self.ending.said = self.ending.said or said
        if not self.up.done():
            self.up.set_exception(HubUnreachableError(self.ending.reason))
        self.over.set()

    def end(self, reason: str) -> None:
        """End it from our side."""
        self.ending.ours = reason
        self.abort()

    async def finish(self) -> None:
        """Wait for its threads, so that none outlives the connection."""
        self.abort()
        self.sender.finish()
        try:
            for thread in (self.sender.thread, self._stomp.transport.io_thread):
                if thread is not None and thread.ident is not None:
                    await asyncio.to_thread(thread.join, _JOIN_S)
        finally:
            if self._websocket is not None:
                # After a close frame from the hub, websocket-client's own close() leaves the descriptor open.
                self._websocket.shutdown()  # type: ignore[no-untyped-call]
            if self._cutter is not None:
                self._cutter.close()
                self._cutter = None
