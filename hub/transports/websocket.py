"""STOMP over WebSocket: the handler of `/ws`."""

from collections.abc import Awaitable, Callable

from tornado.websocket import WebSocketClosedError

from hub.http.endpoints import WEBSOCKET, upgrade_asked
from hub.http.peers import Peer
from hub.stomp.dialects import pick_subprotocol
from hub.stomp.encoder import Framing
from hub.transports.burst_websocket import BurstProtocol, BurstWebSocketHandler
from hub.transports.connection import Connection
from hub.transports.door import DoorStream, Sockets
from hub.transports.keep_alive import KeepAlive
from hub.transports.read_turns import ReadTurns
from hub.transports.services import Services, TransportCounters
from hub.transports.stream_writer import StreamWriter
from hub.websocket.frames import BINARY, TEXT, Message, frame_header

_TEXT_HEADERS = [frame_header(TEXT, length) for length in range(4_096)]
NO_UPGRADE = (
    f"STOMP over WebSocket is here, at {WEBSOCKET}, and this request asks for no upgrade to it. Use a WebSocket client; "
    "a proxy in between has to pass the headers Upgrade and Connection on."
)
_BINARY_HEADERS = [frame_header(BINARY, length) for length in range(4_096)]


def text_framing(length: int, text: bool) -> bytes:
    """Frame as a text message where the bytes allow it (RFC 6455, section 5.6), else as a binary one."""
    if length < 4_096:
        return _TEXT_HEADERS[length] if text else _BINARY_HEADERS[length]
    return frame_header(TEXT if text else BINARY, length)


def binary_framing(length: int, text: bool) -> bytes:  # noqa: ARG001 - the signature of a Framing
    """Frame as a binary message: for clients whose own first message was one (React Native cuts text at NUL)."""
    return _BINARY_HEADERS[length] if length < 4_096 else frame_header(BINARY, length)


class WebSocketWire(StreamWriter):
    """The writing side: frames to the socket, then the Close frame."""

    __slots__ = (
        "_counters",
        "_keep_alive",
        "_protocol",
        "_resume",
        "_stalled",
        "binary",
        "loopback",
        "overflow",
        "peer",
    )

    def __init__(self, protocol: BurstProtocol, peer: Peer, counters: TransportCounters, keep_alive: KeepAlive) -> None:
        super().__init__(protocol.stream)
        self.peer = peer.address
        self.loopback = peer.loopback
        self.binary = False  # the opcode of the peer's first message, mirrored
        self.overflow: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._stalled: Callable[[], None] = _nothing
        self._counters = counters
        self._keep_alive = keep_alive
        self._protocol = protocol

    def attach(self, connection: Connection) -> None:
        """Set the callback for stalls."""
        self.overflow = connection.overflow
        self._stalled = connection.writing_stalled
        self._resume = connection.resume_writing

    @property
    def unread(self) -> int:
        """Return what there is of a message that is not complete."""
        return self._protocol.parser.kept_bytes

    def resumed(self) -> None:
        self._resume()

    def keep_alive(self) -> None:
        """Ping the peer: it sends no heart-beats."""
        self._keep_alive.add(self._protocol)

    def framing(self) -> Framing:
        return binary_framing if self.binary else text_framing

    def write(self, data: bytes) -> None:
        if self._protocol.server_terminated:
            return
        self._counters.bytes_out += len(data)
        self.send(data)
        if self.busy:
            self._stalled()

    def close(self, code: int, reason: str) -> None:
        self._protocol.close(code, reason or None)


class StompWebSocketHandler(BurstWebSocketHandler):
    """Accepts a WebSocket and connects it to the hub.

    It lives as long as the connection. Its fields stay below thirty, Tornado's 22 included: with more Python keeps them in
    a dictionary of its own, 1.3 KiB a connection.
    """

    def initialize(self, services: Services, sockets: Sockets) -> None:
        self._services = services
        self._sockets = sockets
        self._connection: Connection | None = None
        self._wire: WebSocketWire | None = None
        self._opened = False  # CONNECT was accepted, so larger messages may come
        self.max_message_bytes = services.limits.opening_bytes
        self.close_s = services.limits.close_s

    @property
    def turns(self) -> ReadTurns:
        return self._sockets.turns

    def prepare(self) -> None:
        services = self._services
        self._peer = self._sockets.gate.client(self.request)  # now: headers are dropped with the handshake
        if (refusal := self._sockets.gate.refusal(self.request)) is not None:
            self._refuse(refusal.status, refusal.reason, refusal.text)
        elif services.draining or services.crowded:
            self.set_header("Retry-After", "5")
            self._refuse(503, "crowded", "The hub takes no further connection now.")
        elif not upgrade_asked(self.request.headers.get("Upgrade")):
            self.set_header("Upgrade", "websocket")
            self._refuse(426, "no upgrade", NO_UPGRADE)

    def _refuse(self, status: int, reason: str, text: str) -> None:
        self._services.counters.refused[reason] += 1
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{text}\n")

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Accept it: the gate has checked the origin."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return pick_subprotocol(subprotocols)

    def open(self, *args: str, **kwargs: str) -> None:  # noqa: ARG002 - Tornado's signature
        protocol = self.ws_connection
        if protocol is None:
            raise WebSocketClosedError
        self.set_nodelay(True)
        services = self._services
        services.counters.accepted += 1
        protocol.stream.max_write_buffer_size = None
        self._wire = WebSocketWire(protocol, self._peer, services.counters, self._sockets.keep_alive)
        self._connection = Connection(services, self._wire)
        self._wire.attach(self._connection)

    def on_burst(self, messages: list[Message]) -> Awaitable[None] | None:
        connection, wire, protocol = self._connection, self._wire, self.ws_connection
        if connection is None or wire is None or protocol is None:
            return None
        data = messages[0].payload if len(messages) == 1 else b"".join([message[1] for message in messages])
        if not self._opened:
            wire.binary = messages[0].opcode == BINARY
        waiting = connection.receive(data)
        if not self._opened and connection.opened:
            self._opened = True
            if isinstance(protocol.stream, DoorStream):
                protocol.stream.known()
            protocol.parser.max_message_bytes = self._services.limits.message_bytes
        return waiting

    def on_part(self) -> None:
        if self._connection is not None:
            self._connection.part_received()

    def on_end(self) -> None:
        if self._connection is not None:
            self._connection.closed()
            self._connection = None
        if self.ws_connection is not None:
            self._sockets.keep_alive.drop(self.ws_connection)

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> None:
        self.on_end()
        super().on_ws_connection_close(close_code, close_reason)


def _nothing() -> None:
    pass
