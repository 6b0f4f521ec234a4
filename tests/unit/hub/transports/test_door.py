"""Who is let in, on real sockets: as many as there are places, and of one address as many strangers as are allowed."""

import asyncio
import resource
import socket

import pytest
from tornado.iostream import IOStream

from hub.transports.door import Door, DoorStream, _counted_as
from hub.transports.services import TransportCounters
from tests.support.waiting import wait_until


class Entered:
    """A door with a listener; `streams` are let in."""

    def __init__(self, places: int, strangers: int = 1_000, *, bounded: bool = True) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.counters = TransportCounters()
        self.streams: list[DoorStream] = []
        self.peers: list[socket.socket] = []
        self.door = Door(places, strangers, lambda _: not bounded, self.counters)
        self.door.listen([self.listener], self._handle)

    def _handle(self, stream: IOStream, _address: object) -> None:
        assert isinstance(stream, DoorStream)
        self.streams.append(stream)

    def connect(self, count: int) -> None:
        for _ in range(count):
            self.peers.append(socket.create_connection(self.listener.getsockname()))

    def close(self) -> None:
        self.door.close()
        for stream in self.streams:
            stream.close()
        for peer in self.peers:
            peer.close()


async def test_beyond_its_places_nobody_is_accepted_until_somebody_leaves() -> None:
    entered = Entered(places=3)
    entered.connect(6)
    await wait_until(lambda: len(entered.streams) == 3)
    for _ in range(100):
        await asyncio.sleep(0)
    assert 3 == entered.door.open, "the others wait in the kernel's queue"

    entered.streams[0].close()
    entered.streams[1].close()
    await wait_until(lambda: len(entered.streams) == 5)
    assert 3 == entered.door.open
    entered.close()


async def test_a_full_door_does_not_keep_the_loop_busy() -> None:
    entered = Entered(places=1)
    entered.connect(2)
    await wait_until(lambda: entered.door._paused)
    assert not asyncio.get_running_loop().remove_reader(entered.listener.fileno()), "nobody listens"
    entered.close()


async def test_strangers_of_one_address_are_bounded_and_whoever_logged_in_is_none() -> None:
    entered = Entered(places=100, strangers=2)
    entered.connect(2)
    await wait_until(lambda: len(entered.streams) == 2)
    entered.streams[0].known()
    entered.streams[0].known()
    entered.connect(3)
    await wait_until(lambda: entered.counters.refused["address"] == 2)

    assert 3 == len(entered.streams) == entered.door.open
    entered.close()
    assert 0 == entered.door.open
    assert not entered.door._strangers


async def test_this_machine_and_proxies_are_not_bounded() -> None:
    entered = Entered(places=100, strangers=2, bounded=False)
    entered.connect(10)
    await wait_until(lambda: len(entered.streams) == 10)
    assert not entered.counters.refused
    entered.close()


async def test_without_a_descriptor_the_door_waits_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting failed at each turn of the loop, each time with a traceback."""
    monkeypatch.setattr("hub.transports.door._AGAIN_S", 0.05)
    entered = Entered(places=100)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    entered.connect(1)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (entered.peers[0].fileno() + 1, hard))
        await wait_until(lambda: entered.door._retry is not None)
        assert not entered.streams
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await wait_until(lambda: entered.streams)
    entered.close()


async def test_the_fields_of_a_stream_stay_few() -> None:
    """Past thirty Python gives each object a dictionary of its own."""
    near, far = socket.socketpair()
    entered = Entered(places=1)
    entered.door.open = 1
    stream = DoorStream(near, entered.door, None)
    assert vars(stream).keys() == vars(IOStream(far)).keys()
    stream.close()
    far.close()
    entered.close()


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
    ],
)
def test_one_customers_network_of_ipv6_counts_as_one_address(host: str, counted: str) -> None:
    assert counted == _counted_as(host)
