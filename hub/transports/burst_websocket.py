"""A Tornado WebSocket that reads bursts. Touches private names of Tornado's WebSocket (pinned to 6.6).

Tornado's own reader awaits three times a frame and gives the handler one message at a time. `BurstProtocol` takes what
the socket has (`burst_reader`), parses every frame in it, and hands the list to the handler.

    class Echo(BurstWebSocketHandler):
        def on_burst(self, messages):
            for message in messages:
                self.write_message(message.payload, binary=message.opcode == BINARY)

`tests/unit/hub/transports/test_burst_websocket.py` fails when the names that are used here move.
"""

import asyncio
import contextlib
from collections.abc import Awaitable

import structlog
from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13, _WebSocketParams

from hub.transports.burst_reader import BurstReader
from hub.transports.read_turns import ReadTurns
from hub.transports.stream_writer import StreamEnd
from hub.websocket.frames import CLOSE, NO_CODE, PING, PONG, Message, close_payload, read_close, server_frame
from hub.websocket.parser import FrameParser

log = structlog.get_logger("hub.connections")
_NO_HEADERS = HTTPHeaders()
NORMAL, INTERNAL = 1000, 1011
# Pings of one burst that are answered each; of more, the newest is answered too (RFC 6455, section 5.5.3).
MOST_PONGS = 16
_PING = server_frame(PING, b"")


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
        self._ending: StreamEnd | None = None
        self._reader: BurstReader | None = None
        self._reading: asyncio.Task[None] | None = None
        self._heard = self._pinged = False  # since the last ping; whether there was one

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Send Close; end when the peer's Close is there, or after the handler's `close_s`."""
        stream = self.stream
        if not self.server_terminated:
            self.server_terminated = True
            if code is None and reason is not None:
                code = NORMAL
            with contextlib.suppress(StreamClosedError):
                stream.write(server_frame(CLOSE, close_payload(code, reason or "")))
        if self.client_terminated:
            self._end()
        elif self._waiting is None and not stream.closed():
            self._waiting = stream.io_loop.call_later(self.handler.close_s, self._abort)

    def ping_or_end(self, period_s: float) -> None:
        """Ping the peer; fail it when nothing came since the last ping. Any byte is a sign of life, not only the pong."""
        if self.server_terminated:
            return
        if self.stream.writing() or (self._reader is not None and self._reader.held):
            # The ping would be behind what the peer has not read (which has a deadline of its own), or its answer behind
            # what we do not read.
            self._pinged = False
        elif self._pinged and not self._heard:
            self._fail(INTERNAL, f"nothing came within {period_s:g} s of a ping")
        else:
            self._pinged, self._heard = True, False
            with contextlib.suppress(StreamClosedError):
                self.stream.write(_PING)

    async def _receive_frame_loop(self) -> None:
        # A task of its own, so that Tornado's handling of the request ends here: its two tasks, six coroutines and the
        # request's objects are 4 KiB, which a connection would else keep for its whole life.
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(_told)

    async def _read(self) -> None:
        try:
            self._reader = BurstReader(self.stream, self._burst, self.handler.turns)
            await self._reader.run()
        except StreamClosedError:
            self._abort()
        finally:
            if self._ending is not None:
                self._ending.closed()
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    def _burst(self, data: bytes) -> Awaitable[None] | None:
        """Parse what came and hand it over; what is returned is awaited before the next read."""
        self._heard = True
        if self._ending is not None:
            self._ending.discard(len(data))
            return None
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
        if parser.error is not None:
            self._fail(parser.error.code, parser.error.reason)
        return waiting

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection (RFC 6455, section 7.1.7): Close, and our end at once. The peer's Close is not awaited."""
        self.close_code = self.close_code or code
        self.client_terminated = True
        self.close(code, reason)

    def _end(self) -> None:
        """End our direction: both Close frames are there, or the peer cannot be understood."""
        if self._waiting is not None:
            self.stream.io_loop.remove_timeout(self._waiting)
            self._waiting = None
        if self._ending is None and not self.stream.closed():
            self._ending = StreamEnd(self.stream, self.handler.close_s)
            self.handler.on_end()

    def _control(self, messages: list[Message]) -> list[Message]:
        """Answer control frames; return the data messages that came before a Close."""
        data: list[Message] = []
        pings: list[bytes] = []
        closing: bytes | None = None
        for opcode, payload in messages:
            if opcode == PING:
                pings.append(payload)
            elif opcode == CLOSE:
                closing = payload
                break
            elif opcode != PONG:
                data.append(Message(opcode, payload))
        if pings and not self.server_terminated:
            self._answer(pings)
        if closing is None:
            return data
        self._close_received(data, closing)
        return []

    def _answer(self, pings: list[bytes]) -> None:
        """Answer pings; a peer that does not read its pongs gets the newest when it does."""
        if self.stream.writing():
            self._send_pong(pings[-1])  # Tornado keeps one on its way and the newest
            return
        if len(pings) > MOST_PONGS:
            pings[MOST_PONGS:-1] = []
        with contextlib.suppress(StreamClosedError):
            self.stream.write(b"".join([server_frame(PONG, payload) for payload in pings]))

    def _close_received(self, before: list[Message], payload: bytes) -> None:
        if before and not self.server_terminated:
            waiting = self.handler.on_burst(before)
            if asyncio.iscoroutine(waiting):
                waiting.close()  # nothing is read after this that could be held back
        self.client_terminated = True
        code, reason = read_close(payload)
        if code != NO_CODE:
            self.close_code, self.close_reason = code, reason
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
        """Take the stream over, and drop what only the handshake needed (3 KiB a connection)."""
        # Tornado also replaces seven methods by one that raises, each an entry in this object's dictionary.
        stream: IOStream = self.detach()
        for headers in (self.request.headers, self._headers):
            headers._as_list.clear()
            headers._combined_cache.clear()
        self.request.headers = self._headers = _NO_HEADERS
        return stream

    @property
    def turns(self) -> ReadTurns:
        """Return the turns that it shares the loop by."""
        raise NotImplementedError

    def on_burst(self, messages: list[Message]) -> Awaitable[None] | None:
        """Take messages in order. An awaitable is awaited before more is read: that is the back-pressure."""
        raise NotImplementedError

    def on_part(self) -> None:
        """Note that bytes came of a message that is not complete."""

    def on_end(self) -> None:
        """Note that the conversation has ended; the socket may live a little longer."""

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:  # noqa: ARG002 - Tornado's signature
        raise TypeError("messages come to on_burst")


def _told(reading: "asyncio.Task[None]") -> None:
    """Log a bug of ours; it has ended the connection."""
    if not reading.cancelled() and (error := reading.exception()) is not None:
        log.error("connection_failed", exc_info=error)
