"""Reading a Tornado stream in bursts. Touches private names of `IOStream` (Tornado is pinned to 6.6).

`BurstReader` takes what the socket has, once for each time the loop says it is readable: no Future, no Task, no second
`recv` that says EAGAIN. Other connections get their turn after each burst (`read_turns`).

`tests/unit/hub/transports/test_burst_reader.py` fails when the names that are used here move.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from hub.transports.read_turns import MOST_BYTES, ReadTurns, next_size

# libuv says once that a peer has reset, and listens no more; the one read that follows may still return bytes that came
# before. So a while after a burst the socket is read again, whether it is readable or not.
LOOK_AGAIN_S = 2.0


class BurstReader:
    """Reads a stream until it is closed; `receive` gets each burst.

    An awaitable that `receive` returns is awaited before more is read: that is the back-pressure.
    """

    __slots__ = (
        "_look",
        "_loop",
        "_paused",
        "_queued",
        "_receive",
        "_size",
        "_socket",
        "_stream",
        "_turns",
        "_waiting",
    )

    def __init__(self, stream: IOStream, receive: Callable[[bytes], Awaitable[None] | None], turns: ReadTurns) -> None:
        self._stream = stream
        self._socket = stream.socket
        self._receive = receive
        self._turns = turns
        self._queued = False  # we wait for a turn
        self._size = MOST_BYTES // 4  # of the next burst
        self._waiting: Awaitable[None] | None = None
        self._paused = True
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None

    @property
    def held(self) -> bool:
        """Whether nothing is read because the receiver asked for that."""
        return self._paused

    async def run(self) -> None:
        """Read until the stream is closed.

        Raises:
            StreamClosedError: always, at the end.
        """
        try:
            await self._run()
        finally:
            if self._look is not None:
                self._look.cancel()

    async def _run(self) -> None:
        stream = self._stream
        while stream._read_buffer_size:
            # It came together with the handshake.
            data = await stream.read_bytes(self._size, partial=True)
            if (waiting := self._receive(data)) is not None:
                await self._wait(waiting)
        self._look = self._loop.call_later(LOOK_AGAIN_S, self._look_again)
        # The stream calls this where it would fill its own buffer.
        stream._handle_read = self._readable  # type: ignore[method-assign]
        while not stream.closed():
            # The stream believes that a read is under way, and so listens; it ends the read when it is closed.
            turn = stream._start_read()
            self._paused = False
            stream._add_io_state(IOLoop.READ)
            await turn
            if (waiting := self._waiting) is not None:
                self._waiting = None
                await self._wait(waiting)
        raise StreamClosedError(stream.error)

    async def _wait(self, awaitable: Awaitable[None]) -> None:
        """Wait, but only while the stream is open: a peer that is gone must not count as connected."""
        waiting = asyncio.ensure_future(awaitable)
        self._stream.set_close_callback(lambda: _cancel(waiting))
        if self._stream.closed():
            waiting.cancel()
        try:
            await asyncio.wait((waiting,))
        finally:
            self._stream.set_close_callback(None)
            waiting.cancel()
        if not waiting.cancelled():
            waiting.result()

    def _readable(self) -> None:
        if self._paused:
            # The stream must not be left before its handler returns.
            asyncio.get_running_loop().call_soon(self._leave)
            return
        if self._queued:
            return
        now = time.monotonic()
        if self._turns.may_read(now):
            self._read(now)
        else:
            self._queued = True
            self._turns.wait(self._turn_came)

    def _turn_came(self) -> None:
        self._queued = False
        if not self._paused and not self._stream.closed():
            self._read(time.monotonic())

    def _read(self, begun: float) -> None:
        stream, size = self._stream, self._size
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            return
        except OSError:
            stream.close(exc_info=True)
            return
        if not data:
            stream.close()
            return
        if self._look is None:
            self._look = self._loop.call_later(LOOK_AGAIN_S, self._look_again)
        self._waiting = self._receive(data)
        if len(data) == size:
            self._size = next_size(size, time.monotonic() - begun)
        if self._waiting is not None:
            self._pause()

    def _look_again(self) -> None:
        """Check whether the peer is still there."""
        self._look = None
        if self._stream.closed():
            return
        if self._paused:
            self._look = self._loop.call_later(LOOK_AGAIN_S, self._look_again)
        else:
            self._readable()

    def _pause(self) -> None:
        self._paused = True
        turn = self._stream._read_future
        self._stream._read_future = None
        if turn is not None and not turn.done():
            turn.set_result(None)

    def _leave(self) -> None:
        """Stop listening: idle streams listen for reads, to see that the peer has closed, and would wake us for ever."""
        stream = self._stream
        if self._paused and not stream.closed() and stream._state is not None and not stream.writing():
            stream.io_loop.remove_handler(stream.socket)
            stream._state = None


def _cancel(waiting: "asyncio.Future[None]") -> None:
    waiting.cancel()
