"""A Tornado WebSocket that reads bursts. Touches private names of Tornado's WebSocket (pinned to 6.6).

Tornado's own reader awaits three times a frame and gives the handler one message at a time. `BurstProtocol` takes what
the socket has (`burst_stream`), parses every frame in it, and gives the handler the list.

    class Echo(BurstWebSocketHandler):
        def on_burst(self, messages):
            for message in messages:
                self.write_message(message.payload, binary=message.opcode == BINARY)

`tests/unit/hub/transports/test_burst_websocket.py` fails when the names that are used here move.
"""

import asyncio
from collections.abc import Awaitable

from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13, _WebSocketParams

from hub.transports.burst_stream import BurstReader
from hub.websocket.frames import CLOSE, PING, PONG, Message
from hub.websocket.parser import FrameParser

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
        try:
            await BurstReader(self.stream, self._burst).run()
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
            waiting = self.handler.on_burst(before)
            if asyncio.iscoroutine(waiting):
                waiting.close()  # nothing is read after this that could be held back
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
