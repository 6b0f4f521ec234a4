"""A Tornado WebSocket that reads bursts: the one module that touches Tornado's private names (pinned to 6.6).

Tornado's own reader awaits three times a frame and gives the handler one message at a time. `BurstProtocol` reads what
the socket has, parses every frame in it, and gives the handler the list. Writing goes straight to the socket while it
takes everything (no Future, no Task), and through the IOStream otherwise.

    class Echo(BurstWebSocketHandler):
        def on_burst(self, messages):
            for message in messages:
                self.write_message(message.payload, binary=message.opcode == BINARY)

`tests/unit/hub/transports/test_burst_websocket.py` fails when the names that are used here move.
"""

import asyncio
from collections.abc import Awaitable

from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13, _WebSocketParams

from hub.transports.websocket_frames import CLOSE, PING, PONG, FrameParser, Message

READ_BYTES = 65_536
# Other connections get their turn after this much was read without a pause.
QUANTUM_BYTES = 131_072
_NO_HEADERS = HTTPHeaders()


class BurstProtocol(WebSocketProtocol13):
    """RFC 6455 for a server, a burst at a time."""

    handler: "BurstWebSocketHandler"

    def __init__(self, handler: "BurstWebSocketHandler", max_message_bytes: int) -> None:
        # Not WebSocketProtocol13's own: it sets a dozen fields of the stock reader, and past thirty Python keeps an
        # object's fields in a dictionary of its own, 1.1 KiB for each connection.
        WebSocketProtocol.__init__(self, handler)
        self.parser = FrameParser(max_message_bytes)
        self.params = _WebSocketParams(None, None, max_message_bytes, None)
        self.mask_outgoing = False
        self.selected_subprotocol = None
        self.close_code = self.close_reason = None
        self._compression_options = self._compressor = None
        self._message_bytes_out = self._wire_bytes_out = 0
        self._pong_future = self._pending_pong = None
        self._ping_coroutine = self._waiting = None

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send Close; abort after the handler's `close_s`, where Tornado would wait 5 s."""
        first = self._waiting is None
        super().close(code, reason)
        if first and self._waiting is not None:
            self.stream.io_loop.remove_timeout(self._waiting)
            self._waiting = self.stream.io_loop.call_later(self.handler.close_s, self._abort)

    async def _receive_frame_loop(self) -> None:
        read = 0
        try:
            while not self.client_terminated:
                data = await self.stream.read_bytes(READ_BYTES, partial=True)
                waiting = self._burst(data)
                if waiting is not None:
                    await waiting
                read += len(data)
                if read >= QUANTUM_BYTES:
                    read = 0
                    await asyncio.sleep(0)
        except StreamClosedError:
            self._abort()
        finally:
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def _burst(self, data: bytes) -> Awaitable[None] | None:
        """Parse what came and hand it over; what is returned is awaited before the next read."""
        parser = self.parser
        messages = parser.feed(data)
        waiting = None
        if messages:
            if any(message[0] & 0x8 for message in messages):
                messages = self._control(messages)
            if messages and not self.server_terminated:
                waiting = self.handler.on_burst(messages)
        if parser.started:
            self.handler.on_part()
        if parser.error is not None and not self.server_terminated:
            self.close_code = parser.error.code
            # The peer is not understood any more: what it sends is discarded until it closes or the time is over.
            self.close(parser.error.code, parser.error.reason)
        return waiting

    def _control(self, messages: list[Message]) -> list[Message]:
        """Answer control frames; gives the data messages that came before a Close."""
        data: list[Message] = []
        ping: bytes | None = None
        for message in messages:
            if message.opcode == PING:
                ping = message.payload
            elif message.opcode == CLOSE:
                self._close_received(data, message.payload)
                return []
            elif message.opcode != PONG:
                data.append(message)
        if ping is not None:
            # Only the latest ping of a burst is answered (RFC 6455, section 5.5.3); Tornado bounds what is unsent.
            self._send_pong(ping)
        return data

    def _close_received(self, before: list[Message], payload: bytes) -> None:
        if before and not self.server_terminated:
            self.handler.on_burst(before)
        self.client_terminated = True
        if len(payload) >= 2:
            self.close_code = int.from_bytes(payload[:2], "big")
            self.close_reason = payload[2:].decode()
        self.close(self.close_code)


class BurstWebSocketHandler(WebSocketHandler):
    """A handler that gets its messages in bursts."""

    max_message_bytes = 1_048_576
    close_s = 5.0
    ws_connection: BurstProtocol | None

    def get_websocket_protocol(self) -> BurstProtocol | None:
        if self.request.headers.get("Sec-WebSocket-Version") != "13":
            return None
        return BurstProtocol(self, self.max_message_bytes)

    def _detach_stream(self) -> IOStream:
        """Take the stream over, and let go of what only the handshake needed (3 KiB a connection)."""
        # Tornado also replaces seven methods by one that raises, each an entry in this object's dictionary.
        stream: IOStream = self.detach()
        self.request.headers = self._headers = _NO_HEADERS
        return stream

    def on_burst(self, messages: list[Message]) -> Awaitable[None] | None:
        """Take messages in order. An awaitable is awaited before more is read: that is the back-pressure."""
        raise NotImplementedError

    def on_part(self) -> None:
        """Note that octets came of a message that is not complete."""

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:  # noqa: ARG002 - Tornado's signature
        raise TypeError("messages come to on_burst")


class StreamWriter:
    """Writes to a stream's socket directly while it takes everything.

    `busy` from a write that the socket did not take whole until the rest is out; then `resumed` is called.
    """

    __slots__ = ("_direct", "_socket", "_stream", "busy")

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._socket = stream.socket
        self._direct = not isinstance(stream, SSLIOStream)
        self.busy = False

    def resumed(self) -> None:
        """Go on: all is written."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Write now what can be written."""
        stream = self._stream
        sent = 0
        # What Tornado itself has still to write (a pong) goes first.
        if self._direct and not stream.writing():
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                stream.close()
                return
            if sent == len(data):
                return
        self.busy = True
        try:
            stream.write(memoryview(data)[sent:]).add_done_callback(self._written)
        except StreamClosedError:
            self.busy = False

    def _written(self, future: "asyncio.Future[None]") -> None:
        self.busy = False
        if not future.cancelled() and future.exception() is None:
            self.resumed()
