"""Session, client and broker without a socket: a test writes octets and reads the frames that come back.

`Hub` is a broker with a clock that the test moves. `Peer` is one connection: it does with the session's events what
`hub.transports.connection` does, but for durable receipts, time-outs and closing the wire. `Wire` is what a socket is to
an outbox; a test makes it busy to play a peer that does not read.
"""

from typing import NamedTuple

from hub.broker.broker import Broker, BrokerLimits
from hub.broker.client import Client, ClientLimits
from hub.broker.outbox import Joined
from hub.broker.publication import control_item
from hub.stomp.decoder import HeaderCache
from hub.stomp.dialects import OPENING, Dialect
from hub.stomp.encoder import encode_receipt
from hub.stomp.errors import StompError
from hub.stomp.escapes import unescape
from hub.stomp.frames import DISCONNECT, SEND, SUBSCRIBE, UNSUBSCRIBE, Frame
from hub.stomp.session import Commit, Connect, Event, Failure, Receipt, Session, SessionLimits

BROKER, CLIENT, SESSION = BrokerLimits(), ClientLimits(), SessionLimits()


class ServerFrame(NamedTuple):
    """A frame from the hub, its headers in order and un-escaped."""

    command: str
    items: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers; a repeated one is an error of the hub."""
        headers = dict(self.items)
        assert len(headers) == len(self.items), self.items
        return headers


def octets(text: str) -> bytes:
    """Give a test's frames as octets: `^@` stands for NUL."""
    return text.replace("^@", "\0").encode()


def server_frames(data: bytes, dialect: Dialect) -> list[ServerFrame]:
    """Take apart what the hub wrote; strict, as no client's parser is."""
    frames = []
    position = 0
    while position < len(data):
        if data[position] == 10:
            frames.append(ServerFrame("\n", (), b""))
            position += 1
            continue
        end = data.index(b"\n\n", position)
        command, *lines = data[position:end].decode().split("\n")
        rules = OPENING if command == "CONNECTED" else dialect
        pairs = [line.partition(":") for line in lines]
        assert all(colon for _, colon, _ in pairs), lines
        items = tuple((unescape(name, rules), unescape(value, rules)) for name, _, value in pairs)
        length = dict(reversed(items)).get("content-length")
        body_end = data.index(0, end + 2) if length is None else end + 2 + int(length)
        assert data[body_end] == 0
        frames.append(ServerFrame(command, items, data[end + 2 : body_end]))
        position = body_end + 1
    return frames


def no_framing(length: int, text: bool) -> bytes:
    """Frame nothing, as TCP does."""
    return b""


class Wire:
    """The writing side of a connection."""

    def __init__(self) -> None:
        self.busy = False
        self.busy_after_write = False  # the next write is not taken whole at once
        self.data = b""
        self.writes = 0
        self.overflows = 0
        self.peer: Peer | None = None

    def write(self, data: bytes) -> None:
        assert not self.busy, "a busy wire is not written to"
        self.data += data
        self.writes += 1
        self.busy, self.busy_after_write = self.busy_after_write, False

    def overflow(self) -> None:
        self.overflows += 1
        if self.peer is not None:
            self.peer.lose()


class Hub:
    """A broker and its clock; also the `Clock` of its clients."""

    def __init__(
        self,
        broker: BrokerLimits = BROKER,
        client: ClientLimits = CLIENT,
        session: SessionLimits = SESSION,
    ) -> None:
        self.now = 1_000.0
        self.broker = Broker(broker, lambda: self.now, self._scheduled)
        self.client_limits = client
        self.session_limits = session
        self.caches = HeaderCache()
        self.flushes_asked = 0
        self.peers = 0

    def peer(self, version: str = "1.2") -> "Peer":
        """Give a connection that is open in a version of STOMP."""
        peer = Peer(self)
        accept = f"accept-version:{version}\nhost:h\n" if version != "1.0" else ""
        peer.send(f"CONNECT\n{accept}\n^@")
        assert ["CONNECTED"] == [frame.command for frame in peer.frames()]
        return peer

    def pass_time(self, seconds: float) -> None:
        """Move the clock and send what is due."""
        self.now += seconds
        self.broker.agenda.release(self.now)

    def wake_at(self, when: float) -> None:
        """Nothing: `pass_time` releases."""

    def _scheduled(self) -> None:
        self.flushes_asked += 1


class Peer:
    """One connection, before or after CONNECT."""

    def __init__(self, hub: Hub) -> None:
        hub.peers += 1
        self.hub = hub
        self.name = f"s{hub.peers}"
        self.wire = Wire()
        self.wire.peer = self
        self.client: Client | None = None
        self.closed = False
        self.session = Session(hub.session_limits, hub.caches, self._check_send)
        self._read = 0

    def send(self, data: str | bytes) -> None:
        """Let the client send octets."""
        if self.closed:
            return
        events = self.session.receive(octets(data) if isinstance(data, str) else data, self.hub.now)
        while events:
            opened = False
            try:
                for event in events:
                    opened = opened or isinstance(event, Connect)
                    self._handle(event)
            except StompError as error:
                self._fail(error)
                return
            events = self.session.receive(b"", self.hub.now) if opened else []

    def frames(self) -> list[ServerFrame]:
        """Flush, and give what was written since the last call."""
        self.hub.broker.flush()
        data, self._read = self.wire.data[self._read :], len(self.wire.data)
        return server_frames(data, self.session.dialect)

    def messages(self) -> list[ServerFrame]:
        """Do the same, and see that only MESSAGEs came."""
        frames = self.frames()
        assert all(frame.command == "MESSAGE" for frame in frames), frames
        return frames

    def error(self) -> ServerFrame:
        """Give the ERROR that was the last thing written, and see that it ended the connection."""
        frame = self.frames()[-1]
        assert frame.command == "ERROR", frame
        assert self.closed
        return frame

    def stall(self) -> None:
        """Let the peer stop reading."""
        self.hub.broker.flush()
        self.wire.busy = True

    def read_again(self) -> None:
        """Let the peer read what waits."""
        self.wire.busy = False
        if self.client is not None and not self.closed:
            self.client.outbox.flush(Joined())
            for subscription in tuple(self.client.subscriptions.values()):
                if subscription.queue is not None:
                    subscription.queue.dispatch()

    def lose(self) -> None:
        """Let the connection be lost."""
        self.closed = True
        self.session.close()
        if self.client is not None:
            self.client.close()

    def _check_send(self, frame: Frame) -> None:
        assert self.client is not None
        self.client.publisher.check(frame)

    def _handle(self, event: Event) -> None:
        client = self.client
        if isinstance(event, Connect):
            connected = self.session.accept(self.name, self.hub.now)
            self.client = Client(
                self.hub.broker,
                self.wire,
                self.hub,
                no_framing,
                self.session.dialect,
                self.name,
                self.hub.client_limits,
            )
            self.client.push(control_item(connected))
        elif isinstance(event, Failure):
            raise event.error
        elif client is None:
            raise AssertionError(event)
        elif isinstance(event, Receipt):
            self._receipt(event.receipt)
        elif isinstance(event, Commit):
            client.commit(event.frames, event.settles, False, [])
            for frame in event.frames:
                self._receipt(frame.receipt)
            self._receipt(event.receipt)
        elif event.command == SEND:
            client.publisher.send(event)
            self._receipt(event.receipt)
        elif event.command == SUBSCRIBE:
            key = client.subscribe(event)
            self._receipt(event.receipt)
            client.after_subscribe(key)
        elif event.command == DISCONNECT:
            self.hub.broker.flush()
            client.close()
            self._receipt(event.receipt)
            self.closed = True
        else:
            (client.unsubscribe if event.command == UNSUBSCRIBE else client.acknowledge)(event)
            self._receipt(event.receipt)

    def _receipt(self, receipt: str | None) -> None:
        if receipt is not None and self.client is not None:
            self.client.push(control_item(encode_receipt(receipt, self.session.dialect)))

    def _fail(self, error: StompError) -> None:
        frame = self.session.fail(error)
        self.hub.broker.flush()
        if self.client is None:
            self.wire.write(frame)
        else:
            self.client.push(control_item(frame))
            self.client.outbox.flush(Joined())
        self.lose()
