"""Peers that are slow on purpose (fault matrix F13): each is ended when its time is over, and hurts nobody meanwhile."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, TcpOctets, WebSocketOctets, client_frame, tcp
from tests.support.waiting import wait_for

COUNT = 20
TIME_S = 0.5
# This machine may be busy; still below the default limits, which would end a peer later.
SLACK_S = 8.0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub with short limits on time."""
    limits = Limits(handshake_s=TIME_S, connect_s=TIME_S, frame_s=TIME_S, stall_s=TIME_S, close_s=TIME_S)
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=limits) as running:
        yield running


class Dripping:
    """A connection that sends a byte now and then, and ends when the hub ends it."""

    def __init__(self, connected: socket.socket, data: bytes) -> None:
        self._socket = connected
        self._data = data
        self._sent = 0
        self._begun = time.monotonic()
        self.ended_after_s: float | None = None
        connected.setblocking(False)

    def __call__(self) -> bool:
        """Send what is due; tell whether the hub has ended it."""
        due = int((time.monotonic() - self._begun) / 0.1)
        try:
            if due > self._sent and self._sent < len(self._data):
                self._socket.send(self._data[self._sent : self._sent + 1])
                self._sent += 1
            while self._socket.recv(65_536):
                pass
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.ended_after_s = time.monotonic() - self._begun
        self._socket.close()
        return True


def end_all(peers: list[Dripping], hub: RunningHub) -> None:
    """Drip until all are ended; somebody healthy connects all the time, and waits for none of them."""
    left = list(peers)
    served_beside_all = 0

    def step() -> bool:
        nonlocal left, served_beside_all
        with tcp(hub.stomp_port) as healthy:
            healthy.connect()
        left = [peer for peer in left if not peer()]
        served_beside_all += len(left) == len(peers)
        return not left

    wait_for(step, TIME_S + 2 * SLACK_S)
    assert max(peer.ended_after_s or 0 for peer in peers) < TIME_S + SLACK_S
    assert min(peer.ended_after_s or 0 for peer in peers) > TIME_S * 0.8
    assert served_beside_all > 0


def test_header_bytes_that_come_slowly(hub: RunningHub) -> None:
    request = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: b\r\n" * 100
    end_all([Dripping(socket.create_connection(("127.0.0.1", hub.port)), request) for _ in range(COUNT)], hub)


def test_connections_without_a_connect(hub: RunningHub) -> None:
    end_all([Dripping(WebSocketOctets(hub.port).socket, b"") for _ in range(COUNT)], hub)
    end_all([Dripping(TcpOctets(hub.stomp_port).socket, b"") for _ in range(COUNT)], hub)


def test_a_connect_that_comes_slowly(hub: RunningHub) -> None:
    connect = b"CONNECT\naccept-version:1.2\n" + b"k:v\n" * 100
    end_all([Dripping(TcpOctets(hub.stomp_port).socket, connect) for _ in range(COUNT)], hub)
    beats = b"".join(client_frame(b"\n") for _ in range(100))
    end_all([Dripping(WebSocketOctets(hub.port).socket, beats) for _ in range(COUNT)], hub)


@pytest.mark.parametrize("octets", [TcpOctets, WebSocketOctets])
def test_half_a_frame_for_ever(hub: RunningHub, octets: Callable[[int], TcpOctets | WebSocketOctets]) -> None:
    made = octets(hub.stomp_port if octets is TcpOctets else hub.port)
    with RawStomp(made) as client:
        client.connect()
        begun = time.monotonic()
        client.send("SEND\ndestination:/topic/a\ncontent-length:10\n\nhalf")
        client.expect_error("Timeout")
        assert TIME_S * 0.8 < time.monotonic() - begun < TIME_S + SLACK_S


@pytest.mark.parametrize(
    "part", [client_frame(b"SEND\ndestination")[:-3], client_frame(b"SEND\n", final=False), b"\x81"]
)
def test_half_a_websocket_message_for_ever(hub: RunningHub, part: bytes) -> None:
    octets = WebSocketOctets(hub.port)
    with RawStomp(octets) as client:
        client.connect()
        begun = time.monotonic()
        # Something whole before it, in the same segment.
        octets.socket.sendall(client_frame(b"\n") + part)
        client.expect_error("Timeout")
        assert TIME_S * 0.8 < time.monotonic() - begun < TIME_S + SLACK_S


def test_a_peer_that_never_answers_the_close(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port)
    before = hub.connections
    with RawStomp(octets) as client:
        client.connect()
        client.send("RUBBISH\n\n^@")
        client.expect_error("Unknown command")
        wait_for(lambda: hub.connections <= before)
