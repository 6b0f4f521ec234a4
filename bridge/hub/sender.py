"""The thread that writes to the hub: stomp.py writes in the calling thread, and blocks while the hub does not read.

One for each connection; it ends with it. Bounded: more buffers than the hub can owe answers for are a mistake of ours.
"""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Final

_END: Final = None


class HubSender:
    """Hand buffers to `write`, in order, until `write` says that it is over or `finish` is called."""

    def __init__(self, write: Callable[[bytes], bool], size: int) -> None:
        self._write = write
        self._outbox: queue.Queue[bytes | None] = queue.Queue(maxsize=size)
        self.thread = threading.Thread(target=self._run, name="bridge-to-hub", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self.thread.start()

    def send(self, buffer: bytes) -> None:
        """Send it after what waits."""
        self._outbox.put_nowait(buffer)

    def send_aside(self, buffer: bytes) -> None:
        """Send unless something waits: what is sent aside is replaced a second later, and takes no room."""
        if self._outbox.empty():
            self._outbox.put_nowait(buffer)

    def finish(self) -> None:
        """Let the thread end after what it is writing; with a full outbox it ends by the connection's end."""
        with contextlib.suppress(queue.Full):
            self._outbox.put_nowait(_END)

    def _run(self) -> None:
        while (buffer := self._outbox.get()) is not _END:
            if not self._write(buffer):
                return
