"""The event loop's watch over the broker's socket: reading it, which can be paused, and writing it when there is room.

One for each client, and for one socket at a time; paho says when that opens, closes, and has octets that did not fit.
"""

import asyncio
from collections.abc import Callable


class SocketWatch:
    """Call `read` when something came, and `write` while there is something to be written, and room."""

    def __init__(self, read: Callable[[], object], write: Callable[[], object]) -> None:
        self._read = read
        self._write = write
        self._fileno: int | None = None
        self.paused = False

    def opened(self, fileno: int) -> None:
        """Begin, with a new socket."""
        self._fileno = fileno
        self.paused = False
        asyncio.get_running_loop().add_reader(fileno, self._read)

    def closes(self, fileno: int) -> None:
        """End, while the descriptor is still this socket's."""
        self._fileno = None
        asyncio.get_running_loop().remove_reader(fileno)

    def wants_write(self, fileno: int) -> None:
        """Watch for room."""
        asyncio.get_running_loop().add_writer(fileno, self._write)

    def wrote_all(self, fileno: int) -> None:
        """Watch for room no more."""
        asyncio.get_running_loop().remove_writer(fileno)

    def pause(self) -> None:
        """Read no more: TCP and then the broker hold what comes."""
        if not self.paused and self._fileno is not None:
            self.paused = True
            asyncio.get_running_loop().remove_reader(self._fileno)

    def resume(self) -> None:
        """Read again."""
        if self.paused:
            self.paused = False
            if self._fileno is not None:
                asyncio.get_running_loop().add_reader(self._fileno, self._read)
