"""Writing to streams and ending them, on real sockets; the contract with Tornado's private names."""

import asyncio
import socket

from tornado.iostream import IOStream

from hub.transports.stream_writer import REST_BYTES, StreamEnd, StreamWriter
from tests.support.waiting import wait_until


def test_the_private_names_are_there() -> None:
    """Tornado is pinned to a minor version; this says which names must be looked at when that moves."""
    near, far = socket.socketpair()
    stream = IOStream(near)
    try:
        for name in ("_total_write_index", "_total_write_done_index"):
            assert hasattr(stream, name)
    finally:
        stream.close()
        far.close()


class Writing(StreamWriter):
    """A writer that counts how often it may go on."""

    __slots__ = ("resumes",)

    def __init__(self, stream: IOStream) -> None:
        super().__init__(stream)
        self.resumes = 0

    def resumed(self) -> None:
        self.resumes += 1


async def test_what_the_socket_does_not_take_follows_in_order() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    writer = Writing(stream)
    data = bytes(range(256)) * 8_192
    writer.send(data)
    assert writer.busy

    received = b""
    far.settimeout(10)
    while len(received) < len(data):
        received += await asyncio.to_thread(far.recv, 1 << 20)
    await wait_until(lambda: not writer.busy)
    assert received == data
    assert writer.resumes == 1
    stream.close()
    far.close()


async def test_a_peer_that_is_gone_closes_the_stream() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    writer = Writing(stream)
    far.close()
    writer.send(b"x")
    writer.send(b"y")

    assert stream.closed()
    assert not writer.busy


async def test_the_end_comes_behind_everything_that_was_written() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    writer = Writing(stream)
    writer.send(b"x" * 2_000_000)
    assert writer.busy
    end = StreamEnd(stream, 10.0)

    received = 0
    far.settimeout(10)
    while data := await asyncio.to_thread(far.recv, 1 << 20):
        received += len(data)
    assert received == 2_000_000
    assert not stream.closed(), "the peer may still be sending"
    end.closed()
    stream.close()
    far.close()


async def test_input_after_the_end_is_discarded_up_to_a_bound() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    end = StreamEnd(stream, 10.0)
    end.discard(REST_BYTES)
    assert not stream.closed()
    end.discard(1)
    assert stream.closed()
    end.closed()
    far.close()


async def test_a_peer_that_does_not_end_is_closed_after_the_time_for_it() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    StreamEnd(stream, 0.05)
    await wait_until(stream.closed)
    far.close()


async def test_a_closed_stream_needs_no_end() -> None:
    near, far = socket.socketpair()
    stream = IOStream(near)
    stream.close()
    StreamEnd(stream, 10.0).closed()
    far.close()
