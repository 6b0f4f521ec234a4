"""Reading and writing a Tornado stream in bursts. Touches private names of `IOStream` (Tornado is pinned to 6.6).

`BurstReader` takes what the socket has, once for each time the loop says it is readable: no Future, no Task, no second
`recv` that says EAGAIN. Other connections get their turn after each burst. `StreamWriter` writes straight to the socket
while it takes everything, and through the stream otherwise.

`tests/unit/hub/transports/test_burst_stream.py` fails when the names that are used here move.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

READ_BYTES = 65_536
# libuv says once that a peer has reset, and listens no more; the one read that follows may still give octets that came
# before. So a while after a burst the socket is read again, whether it is readable or not.
LOOK_AGAIN_S = 2.0


class BurstReader:
    """Reads a stream until it is closed; `receive` gets each burst.

    An awaitable that `receive` gives is awaited before more is read: that is the back-pressure.
    """

    __slots__ = ("_look", "_loop", "_paused", "_receive", "_socket", "_stream", "_waiting")

    def __init__(self, stream: IOStream, receive: Callable[[bytes], Awaitable[None] | None]) -> None:
        self._stream = stream
        self._socket = stream.socket
        self._receive = receive
        self._waiting: Awaitable[None] | None = None
        self._paused = True
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Read on and on.

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
            data = await stream.read_bytes(READ_BYTES, partial=True)
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
        """Wait as we were told, but no longer than the stream is open: whoever is gone must not count as connected."""
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
        stream = self._stream
        if self._paused:
            # The stream must not be left before its handler returns.
            asyncio.get_running_loop().call_soon(self._leave)
            return
        try:
            data = self._socket.recv(READ_BYTES)
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
        if self._waiting is not None:
            self._pause()

    def _look_again(self) -> None:
        """See whether the peer is still there."""
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


class StreamWriter:
    """Writes to a stream's socket directly while it takes everything.

    `busy` from a write that the socket did not take whole until the rest is out; then `resumed` is called.
    """

    __slots__ = ("_socket", "_stream", "busy")

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._socket = stream.socket
        self.busy = False

    def resumed(self) -> None:
        """Go on: all is written."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Write now what can be written."""
        stream = self._stream
        sent = 0
        # What Tornado itself has still to write (a pong) goes first. `stream.writing()` says the same, five times slower.
        if stream._total_write_index == stream._total_write_done_index:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                stream.close()
                return
            if sent == len(data):
                return
        self.busy = True
        try:
            stream.write(memoryview(data)[sent:]).add_done_callback(self._written)
        except StreamClosedError:
            self.busy = False

    def _written(self, future: "asyncio.Future[None]") -> None:
        self.busy = False
        if not future.cancelled() and future.exception() is None:
            self.resumed()
