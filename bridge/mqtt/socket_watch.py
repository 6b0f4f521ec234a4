"""The event loop's watch over the broker's socket: reading it, which can be paused, and writing it when there is room."""

import asyncio
from collections.abc import Callable


class SocketWatch:
    """Call `read` when something came, and `write` while there is something to be written, and room; for one socket."""

    def __init__(self, read: Callable[[], object], write: Callable[[], object]) -> None:
        self._read = read
        self._write = write
        self._fileno: int | None = None
        self.paused = False

    def open(self, fileno: int) -> None:
        """Begin to read."""
        self._fileno = fileno
        asyncio.get_running_loop().add_reader(fileno, self._read)

    def close(self) -> None:
        """Stop, while the descriptor is still this socket's."""
        if self._fileno is not None:
            asyncio.get_running_loop().remove_reader(self._fileno)
            asyncio.get_running_loop().remove_writer(self._fileno)
            self._fileno = None

    def wait_to_write(self, *, wanted: bool) -> None:
        """Watch for room, or stop that."""
        if self._fileno is None:
            return
        if wanted:
            asyncio.get_running_loop().add_writer(self._fileno, self._write)
        else:
            asyncio.get_running_loop().remove_writer(self._fileno)

    def pause(self) -> None:
        """Stop reading: TCP and then the broker hold what comes."""
        if not self.paused and self._fileno is not None:
            self.paused = True
            asyncio.get_running_loop().remove_reader(self._fileno)

    def resume(self) -> None:
        """Read again."""
        if self.paused and self._fileno is not None:
            asyncio.get_running_loop().add_reader(self._fileno, self._read)
        self.paused = False
