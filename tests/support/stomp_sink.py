"""A hub in miniature for the bridge's tests: real WebSocket, real STOMP parsing, answers as the test says.

It is not the hub: it keeps what was sent in a list and has no subscriptions. `hold` keeps receipts back until `release`;
`refuse` makes a SEND on that destination an ERROR and a close; `vanish` closes without a word;
`heart_beat` promises beats, which never come. The bridge's status reports are kept apart.
"""

import ssl
from collections.abc import Callable
from typing import Self

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import V1_2
from hub.stomp.frames import Frame
from hub.stomp.header_block import CodecLimits

STATUS = "/topic/$SYS/bridge/"


class _Handler(WebSocketHandler):
    def initialize(self, sink: "StompSink") -> None:
        self._sink = sink
        self._decoder = FrameDecoder(CodecLimits(), sink.headers)
        self._pending: list[Frame] = []

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - stomp.py sends its own host as origin
        return True

    def open(self, *_args: str) -> None:
        self._sink.handlers.append(self)

    def on_close(self) -> None:
        self._sink.handlers.remove(self)

    def on_message(self, message: str | bytes) -> None:
        sink = self._sink
        sink.web_socket_messages += 1
        data = message.encode() if isinstance(message, str) else message
        sink.largest_message = max(sink.largest_message, len(data))
        for frame in self._decoder.feed(data):
            self._frame(frame)
        if self._decoder.dialect is V1_2:
            for frame in self._decoder.feed(b""):
                self._frame(frame)

    def _frame(self, frame: Frame) -> None:
        sink = self._sink
        if frame.command in {"STOMP", "CONNECT"}:
            sink.connects.append(dict(frame.headers))
            self._decoder.use(V1_2)
            self.answer(b"CONNECTED\nversion:1.2\nheart-beat:%b\n\n\0" % sink.heart_beat)
        elif frame.command == "SEND" and frame.headers["destination"].startswith(STATUS):
            sink.statuses.append(frame)
            if sink.refuse_status:
                self.answer(b"ERROR\nmessage:no status here\nreceipt-id:%b\n\n\0" % (frame.receipt or "").encode())
                self.close()
        elif frame.command == "SEND":
            sink.sent_bodies += 1
            if frame.headers["destination"] in sink.refuse:
                self.answer(b"ERROR\nmessage:refused by the test\n\n\0")
                self.close()
                return
            if frame.headers["destination"] in sink.vanish:
                self.ws_connection.stream.close()  # type: ignore[union-attr]
                return
            if "transaction" in frame.headers:
                self._pending.append(frame)
            else:
                self._take([frame], (frame.receipt or ""))
        elif frame.command == "COMMIT":
            frames, self._pending = self._pending, []
            self._take(frames, (frame.receipt or ""))
        elif frame.command in {"SUBSCRIBE", "DISCONNECT"}:
            self.answer(b"RECEIPT\nreceipt-id:%b\n\n\0" % (frame.receipt or "").encode())

    def _take(self, frames: list[Frame], receipt: str) -> None:
        sink = self._sink
        sink.taken += frames
        sink.count += len(frames)
        sink.transactions += 1

        def confirm() -> None:
            self.answer(b"RECEIPT\nreceipt-id:%b\n\n\0" % receipt.encode())

        if sink.hold:
            sink.held.append(confirm)
            sink.held_counts.append(len(frames))
        else:
            confirm()

    def answer(self, frame: bytes) -> None:
        if self.ws_connection is not None and not self.ws_connection.is_closing():
            self.write_message(frame)


class StompSink:
    """Listen on a free port within its block."""

    def __init__(self, host: str = "127.0.0.1", ssl_context: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._ssl_context = ssl_context
        self.headers = HeaderCache()
        self.handlers: list[_Handler] = []
        self.connects: list[dict[str, str]] = []
        self.taken: list[Frame] = []
        self.held: list[Callable[[], None]] = []
        self.held_counts: list[int] = []  # of messages, since receipts are held
        self.statuses: list[Frame] = []
        self.refuse_status = False
        self.refuse: set[str] = set()
        self.vanish: set[str] = set()
        self.heart_beat = b"0,0"
        self.hold = False
        self.count = 0
        self.transactions = 0
        self.web_socket_messages = 0
        self.largest_message = 0
        self.sent_bodies = 0
        self.port = 0
        self._server: HTTPServer | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Listen; after `stop`, on the same port."""
        application = Application([("/ws", _Handler, {"sink": self})], websocket_max_message_size=2 * 1024 * 1024)
        self._server = HTTPServer(application, ssl_options=self._ssl_context)
        sockets = bind_sockets(self.port, self._host)
        self.port = sockets[0].getsockname()[1]
        self._server.add_sockets(sockets)

    @property
    def url(self) -> str:
        scheme = "wss" if self._ssl_context else "ws"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self.port}/ws"

    @property
    def bodies(self) -> list[bytes]:
        return [frame.body for frame in self.taken]

    def release(self) -> None:
        """Send the receipts that were held, and hold no more."""
        self.hold = False
        held, self.held = self.held, []
        self.held_counts.clear()
        for confirm in held:
            confirm()

    def cut(self) -> None:
        """Drop every connection without a close."""
        self.held.clear()
        self.held_counts.clear()
        for handler in list(self.handlers):
            if handler.ws_connection is not None:
                handler.ws_connection.stream.close()  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Stop listening and drop everybody."""
        if self._server is not None:
            self._server.stop()
            self.cut()
            await self._server.close_all_connections()
            self._server = None
