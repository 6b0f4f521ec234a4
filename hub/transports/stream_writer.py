"""Writing to a Tornado stream, and ending it. Touches private names of `IOStream` (Tornado is pinned to 6.6).

`StreamWriter` writes straight to the socket while it takes everything, and through the stream otherwise. `StreamEnd` ends
a connection so that the peer gets the last bytes.

`tests/unit/hub/transports/test_stream_writer.py` fails when the names that are used here move.
"""

import asyncio
import contextlib
import socket

from tornado.iostream import IOStream, StreamClosedError

# After our end a peer may have this much under way: the rest of a message that is too large, for example.
REST_BYTES = 16 * 1024 * 1024


class StreamWriter:
    """Writes to a stream's socket directly while it takes everything.

    After a write that the socket did not take whole it is `busy` until the rest is out; then `resumed` is called.
    """

    __slots__ = ("_socket", "_stream", "busy", "unsent")

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._socket = stream.socket
        self.busy = False
        self.unsent = b""  # what was written last, while the socket has not taken it

    def resumed(self) -> None:
        """Go on: everything is written."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Write what can be written now, and the rest when the socket takes it."""
        stream = self._stream
        sent = 0
        # What was written through the stream (a pong) goes first. `stream.writing()` says the same, five times slower.
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
        self.unsent = data
        try:
            stream.write(memoryview(data)[sent:]).add_done_callback(self._written)
        except StreamClosedError:
            self.busy = False
            self.unsent = b""

    def _written(self, future: "asyncio.Future[None]") -> None:
        self.busy = False
        self.unsent = b""
        if not future.cancelled() and future.exception() is None:
            self.resumed()


class StreamEnd:
    """The end of a connection (RFC 6455, section 7.1.1): our direction ends, what still comes is discarded.

    Closing at once would make TCP reset the connection where input is unread, and destroy the last bytes on their way. So
    we half-close when everything is written. The socket is closed by the peer's own end, after `linger_s`, or after more
    input than a peer can have had under way.
    """

    __slots__ = ("_left", "_stream", "_timer")

    def __init__(self, stream: IOStream, linger_s: float) -> None:
        self._stream = stream
        self._left = REST_BYTES
        self._timer = asyncio.get_running_loop().call_later(linger_s, stream.close)
        with contextlib.suppress(StreamClosedError):
            # It is done when all that was written before it is.
            stream.write(b"").add_done_callback(self._written)

    def discard(self, size: int) -> None:
        """Count input that nobody reads."""
        self._left -= size
        if self._left < 0:
            self._stream.close()

    def closed(self) -> None:
        """Stop the timer: the socket is closed."""
        self._timer.cancel()

    def _written(self, future: "asyncio.Future[None]") -> None:
        if not future.cancelled() and future.exception() is None and not self._stream.closed():
            with contextlib.suppress(OSError):
                self._stream.socket.shutdown(socket.SHUT_WR)
