"""Reading streams in bursts, on real sockets; the contract with Tornado's private names."""

import asyncio
import socket
import struct
from collections.abc import Awaitable

import pytest
from tornado.iostream import IOStream, StreamClosedError

from hub.transports.burst_reader import BurstReader
from hub.transports.read_turns import MOST_BYTES, ReadTurns
from tests.support.waiting import wait_until


class Reading:
    """A reader on one end of a socket pair; `gate` is what it is told to wait for."""

    def __init__(self) -> None:
        near, self.peer = socket.socketpair()
        self.stream = IOStream(near)
        self.bursts: list[bytes] = []
        self.gate: Awaitable[None] | None = None
        self.task = asyncio.create_task(BurstReader(self.stream, self._receive, ReadTurns()).run())

    @property
    def received(self) -> bytes:
        return b"".join(self.bursts)

    def _receive(self, data: bytes) -> Awaitable[None] | None:
        self.bursts.append(data)
        return self.gate


def test_the_private_names_are_there() -> None:
    """Tornado is pinned to a minor version; this says which names must be looked at when that moves."""
    near, far = socket.socketpair()
    stream = IOStream(near)
    try:
        for name in ("_handle_read", "_start_read", "_add_io_state", "_handle_events"):
            assert callable(getattr(stream, name))
        for name in ("_read_future", "_state", "_read_buffer_size"):
            assert hasattr(stream, name)
    finally:
        stream.close()
        far.close()


async def test_what_is_there_is_one_burst() -> None:
    reading = Reading()
    reading.peer.sendall(b"a" * 10)
    reading.peer.sendall(b"b" * 10)
    await wait_until(lambda: len(reading.received) == 20)

    assert [b"a" * 10 + b"b" * 10] == reading.bursts
    reading.stream.close()
    with pytest.raises(StreamClosedError):
        await reading.task
    reading.peer.close()


async def test_a_burst_is_bounded() -> None:
    reading = Reading()
    await asyncio.to_thread(reading.peer.sendall, b"x" * (3 * MOST_BYTES))
    await wait_until(lambda: len(reading.received) == 3 * MOST_BYTES)

    assert max(map(len, reading.bursts)) <= MOST_BYTES
    reading.peer.close()
    with pytest.raises(StreamClosedError):
        await reading.task


async def test_nothing_is_read_while_the_receiver_waits() -> None:
    reading = Reading()
    gate = reading.gate = asyncio.get_running_loop().create_future()
    reading.peer.sendall(b"first")
    await wait_until(lambda: reading.bursts)
    reading.peer.sendall(b"second")
    # The loop must not spin either: listening stops once the socket has woken it.
    await wait_until(lambda: reading.stream._state is None)
    assert [b"first"] == reading.bursts

    reading.gate = None
    gate.set_result(None)
    await wait_until(lambda: reading.received == b"firstsecond")
    reading.peer.close()
    with pytest.raises(StreamClosedError):
        await reading.task


async def test_the_end_of_the_peer_is_seen_after_a_wait() -> None:
    """A peer may close its half while it is still owed something."""
    reading = Reading()
    gate = reading.gate = asyncio.get_running_loop().create_future()
    reading.peer.sendall(b"bye")
    reading.peer.shutdown(socket.SHUT_WR)
    await wait_until(lambda: reading.stream._state is None)
    assert not reading.stream.closed()

    gate.set_result(None)
    with pytest.raises(StreamClosedError):
        await reading.task
    reading.peer.close()


async def test_a_wait_ends_with_the_stream() -> None:
    """Whoever is gone while publishers are held back must not count as connected until there is room again."""
    reading = Reading()
    gate = reading.gate = asyncio.get_running_loop().create_future()
    reading.peer.sendall(b"first")
    await wait_until(lambda: bool(reading.bursts) and not reading.stream.reading())
    reading.stream.close()

    with pytest.raises(StreamClosedError):
        await reading.task
    assert gate.cancelled()
    reading.peer.close()


def test_a_reset_behind_bytes_is_seen_with_uvloop() -> None:
    """Its poll says once that the peer has reset, and the bytes that came before are read then."""
    uvloop = pytest.importorskip("uvloop", reason="without uvloop each reset is seen at once")

    async def reset_behind_bytes() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            peer = socket.create_connection(server.getsockname())
            near, _ = server.accept()
            bursts: list[bytes] = []
            stream = IOStream(near)
            task = asyncio.create_task(BurstReader(stream, bursts.append, ReadTurns()).run())
            await wait_until(stream.reading)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.sendall(b"half a fra")
            peer.close()
            with pytest.raises(StreamClosedError):
                await asyncio.wait_for(task, 10)
            assert [b"half a fra"] == bursts

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reset_behind_bytes())
