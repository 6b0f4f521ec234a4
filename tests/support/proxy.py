"""A TCP proxy that misbehaves on command, between a client and a real server.

`forward` passes bytes; `black_hole` accepts connections and bytes and passes nothing, with no reset, as a dead network
does; `refuse` closes the listening port; `cut` resets every open connection at once. `latency_s` delays each piece,
`slices` passes pieces of so many bytes in turn, `cut_after` resets the connection behind that many bytes to the client.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close sends RST


class FaultProxy:
    """Listens on a loopback port, connects onward to a Unix socket or another loopback port."""

    def __init__(self, target: Path | int) -> None:
        self._target = target
        self.latency_s = 0.0
        self.slices: tuple[int, ...] = ()
        self.cut_after: int | None = None
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
            back, onward = await self._connect()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, onward))
                group.create_task(self._pump(back, writer, to_client=True))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # a fault, ours or the server's: both sides are closed below
        finally:
            del self._connections[task]
            for side in (writer, onward):
                if side is not None:
                    side.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, to_client: bool = False) -> None:
        while data := await source.read(CHUNK):
            await self._open.wait()
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if to_client and self.cut_after is not None:
                data, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
            for piece in self._pieces(data):
                sink.write(piece)
                await sink.drain()
            if to_client and self.cut_after is not None and self.cut_after <= 0:
                self.cut_after = None
                break
        raise ConnectionResetError

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if not self.slices:
            yield data
            return
        at = 0
        for size in itertools.cycle(self.slices):
            if at >= len(data):
                return
            yield data[at : at + size]
            at += size


@asynccontextmanager
async def fault_proxy(target: Path | int) -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            await proxy.refuse()
