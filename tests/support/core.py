"""Conversations without a socket: a test writes bytes and reads the frames that come back.

`Hub` is a broker with a clock that the test moves. `Peer` is one `Conversation` on a `Wire`, which is what a socket is to
it; a test makes it busy to play a peer that does not read.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from hub.access.logins import Login, Logins
from hub.broker.broker import Broker, BrokerLimits
from hub.broker.publication import HUB, NO_HEADERS, TELEMETRY, Arrival, Headers
from hub.broker.subscriber import Subscriber, SubscriberLimits
from hub.refusal import Refusal
from hub.stomp.conversation import Conversation, Shared
from hub.stomp.deadlines import DeadlineLimits
from hub.stomp.decoder import HeaderCache
from hub.stomp.dialects import OPENING, Dialect
from hub.stomp.encoder import Encoders, Framing
from hub.stomp.escapes import unescape
from hub.stomp.session import Session, SessionLimits
from hub.topics.destinations import parse_destination

EPOCH = "e"
BROKER, SUBSCRIBER, SESSION, DEADLINES = BrokerLimits(), SubscriberLimits(), SessionLimits(), DeadlineLimits()
NOBODY: Mapping[str, Login] = {}


class ServerFrame(NamedTuple):
    """A frame from the hub, its headers in order and un-escaped."""

    command: str
    items: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers; a repeated one is an error of the hub."""
        headers = dict(self.items)
        assert len(headers) == len(self.items), self.items
        return headers


def octets(text: str) -> bytes:
    """Return a test's frames as bytes: `^@` stands for NUL."""
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

    loopback = True

    def __init__(self) -> None:
        self.busy = False
        self.busy_after_write = False  # the next write is not taken whole at once
        self.data = b""
        self.writes = 0
        self.overflows = 0
        self.kept_alive = False
        self.closed: tuple[int, str] | None = None
        self.talk: Conversation | None = None

    def framing(self) -> Framing:
        return no_framing

    def keep_alive(self) -> None:
        self.kept_alive = True

    def write(self, data: bytes) -> None:
        assert not self.busy, "a busy wire is not written to"
        self.data += data
        self.writes += 1
        self.busy, self.busy_after_write = self.busy_after_write, False

    def overflow(self) -> None:
        if self.closed is None:
            self.overflows += 1
        if self.talk is not None:
            self.talk.overflow()

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)
        if self.talk is not None:
            self.talk.closed()


class Hub:
    """A broker, its clock, and the conversations with it."""

    def __init__(
        self,
        broker: BrokerLimits = BROKER,
        client: SubscriberLimits = SUBSCRIBER,
        session: SessionLimits = SESSION,
        deadlines: DeadlineLimits = DEADLINES,
        logins: Mapping[str, Login] = NOBODY,
    ) -> None:
        self.now = 1_000.0
        self.broker = Broker(broker, EPOCH, lambda: self.now, self._scheduled, self._woken)
        self.shared = Shared(
            self.broker,
            lambda: self.now,
            Logins(logins),
            session,
            client,
            deadlines,
            HeaderCache(),
            Encoders(EPOCH),
        )
        self.flushes_asked = 0
        self.peers = 0
        self.refusals: list[tuple[Refusal, str]] = []
        self.due: list[float] = []

    def peer(self, version: str = "1.2", *lines: str) -> "Peer":
        """Return a connection that is open in a version of STOMP; `lines` are more headers of its CONNECT."""
        peer = Peer(self)
        accept = f"accept-version:{version}\nhost:h\n" if version != "1.0" else ""
        peer.send(f"CONNECT\n{accept}{''.join(line + chr(10) for line in lines)}\n^@")
        assert ["CONNECTED"] == [frame.command for frame in peer.frames()]
        return peer

    def bridge(self, name: str = "b") -> "Peer":
        """Return a connection of a bridge."""
        return self.peer("1.2", f"telemetry-bridge:{name}")

    def publish(
        self, destination: str, body: bytes = b"", headers: Headers = NO_HEADERS, value: float | None = None
    ) -> None:
        """Publish a message of the hub's own; readings, which have a value, as telemetry."""
        address = self.broker.address(parse_destination(destination))
        self.broker.publish([Arrival(address, body, headers, value)], HUB if value is None else TELEMETRY)

    def wanted(self, destination: str) -> bool:
        """Whether anybody would get a message of the hub's own there."""
        return self.broker.wanted(parse_destination(destination).name)

    def last_messages(self, topic_filter: str) -> list[str]:
        """Return the bodies of the last messages of topics."""
        return [last.body.decode() for last in self.broker.topics.last_messages(tuple(topic_filter.split("/")))]

    def pass_time(self, seconds: float) -> None:
        """Move the clock and do what is due."""
        self.now += seconds
        self.settle()

    def settle(self) -> None:
        """Do what is due now, slice by slice."""
        while (due := self.broker.release_due(self.now)) is not None and due <= self.now:
            pass

    def _scheduled(self) -> None:
        self.flushes_asked += 1

    def _woken(self, when: float) -> None:
        self.due.append(when)


class Peer:
    """One connection, before or after CONNECT."""

    def __init__(self, hub: Hub) -> None:
        hub.peers += 1
        self.hub = hub
        self.name = f"s{hub.peers}"
        self.wire = Wire()
        self.waits: list[Hashable] = []  # tokens that were asked for
        self.talk = Conversation(
            hub.shared,
            self.wire,
            self.name,
            hub.now,
            self.waits.append,
            lambda refusal, login: hub.refusals.append((refusal, login)),
        )
        self.wire.talk = self.talk
        self._read = 0

    @property
    def closed(self) -> bool:
        """Whether the hub has ended the connection."""
        return self.wire.closed is not None

    @property
    def session(self) -> Session:
        return self.talk._session

    @property
    def client(self) -> Subscriber:
        """Return the connection as the broker sees it."""
        assert self.talk._subscriber is not None
        return self.talk._subscriber

    def send(self, data: str | bytes) -> None:
        """Let the client send bytes."""
        if not self.closed:
            self.talk.receive(octets(data) if isinstance(data, str) else data, self.hub.now)

    def frames(self) -> list[ServerFrame]:
        """Flush, and return what was written since the last call."""
        self.hub.settle()
        self.hub.broker.flush()
        return self.written()

    def written(self) -> list[ServerFrame]:
        """Return what was written since the last call, without a flush."""
        data, self._read = self.wire.data[self._read :], len(self.wire.data)
        return server_frames(data, self.session.dialect)

    def messages(self) -> list[ServerFrame]:
        """Do the same, and see that only MESSAGEs came."""
        frames = self.frames()
        assert all(frame.command == "MESSAGE" for frame in frames), frames
        return frames

    def error(self) -> ServerFrame:
        """Return the ERROR that was the last thing written, and see that it ended the connection."""
        frame = self.frames()[-1]
        assert frame.command == "ERROR", frame
        assert self.closed
        return frame

    def refusal(self) -> tuple[str, str | None]:
        """Return the reason of that ERROR, without what it is about, and its receipt."""
        headers = self.error().headers
        return headers["message"].partition(" (")[0], headers.get("receipt-id")

    def stall(self) -> None:
        """Let the peer stop reading."""
        self.hub.broker.flush()
        self.wire.busy = True

    def read_again(self) -> None:
        """Let the peer read what waits."""
        self.wire.busy = False
        if not self.closed:
            self.talk.resume_writing()

    def lose(self) -> None:
        """Let the connection be lost."""
        self.wire.closed = self.wire.closed or (1006, "lost")
        self.talk.closed()
