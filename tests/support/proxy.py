"""A TCP proxy that misbehaves on command, between a client and a real server.

`forward` passes bytes; `black_hole` accepts connections and bytes and passes nothing, with no reset, as a dead network
does; `refuse` closes the listening port; `cut` resets every open connection at once.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


class FaultProxy:
    """Listens on a loopback port, connects onward to a Unix socket."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.port = 0
        self.accepted = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def forward(self) -> None:
        self._open.set()

    def black_hole(self) -> None:
        self._open.clear()

    async def refuse(self) -> None:
        """Close the port and every connection; `start()` opens the same port again."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        for task, writer in list(self._connections.items()):
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._connections[task] = writer
        onward: asyncio.StreamWriter | None = None
        try:
            await self._open.wait()
            back, onward = await asyncio.open_unix_connection(str(self._target))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, onward))
                group.create_task(self._pump(back, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # a fault, ours or the server's: both sides are closed below
        finally:
            del self._connections[task]
            for side in (writer, onward):
                if side is not None:
                    side.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await self._open.wait()
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError


@asynccontextmanager
async def fault_proxy(target: Path) -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            await proxy.refuse()
