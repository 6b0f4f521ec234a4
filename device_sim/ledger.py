"""The ledger: what a simulator sent and what was acknowledged to it, on disk before the next message leaves.

Append-only text, a line a fact, about 25 bytes a message. Names are written once and referred to by number; messages
are numbered by their order:

    device-sim-ledger 1                starts a run; numbers below count from 0 again
    D "sim-00000"                      device 0 (then 1, 2, …), the name as JSON
    M ["temperature","humidity"]       metric list 0 (then 1, 2, …)
    S 0 0 1763661600123000             message 0 (then 1, 2, …) is about to be sent: device, metric list, time in us
    A 0 17                             messages 0 to 17 were acknowledged

A new run appends to the file. A line torn by a crash is cut off when the file is continued, and ignored at the end of
the file when it is read. "Flushed" means handed to the kernel: it outlives the simulator, not a power cut.
"""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from device_sim.errors import BadArgumentError, LedgerError
from device_sim.message import Message

HEADER = "device-sim-ledger 1"


class LedgerEntry(NamedTuple):
    """One message of a ledger."""

    device: str
    metrics: tuple[str, ...]
    time_us: int
    acknowledged: bool


class LedgerWriter:
    """Writes one run. Usable as a context manager; `path` None keeps no ledger."""

    def __init__(self, path: Path | None) -> None:
        self._file: io.FileIO | None = None
        self._devices: dict[str, int] = {}
        self._metrics: dict[tuple[str, ...], int] = {}
        self._sent = 0
        if path is not None:
            try:
                _cut_torn_line(path)
                self._file = io.FileIO(path, "ab")
            except OSError as error:
                raise BadArgumentError("--ledger", f"cannot write {path}: {error.strerror}") from error
            self._file.write(f"{HEADER}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def sent(self, messages: Sequence[Message]) -> None:
        """Note that `messages` are about to be sent; they come in the order of their numbers, without gaps."""
        if self._file is None:
            return
        lines: list[str] = []
        for message in messages:
            if message.number != self._sent:
                raise ValueError(f"message {message.number} entered out of order: {self._sent} is next")
            self._sent += 1
            device = self._devices.get(message.device)
            if device is None:
                device = self._devices[message.device] = len(self._devices)
                lines.append(f"D {orjson.dumps(message.device).decode()}\n")
            metrics = self._metrics.get(message.metrics)
            if metrics is None:
                metrics = self._metrics[message.metrics] = len(self._metrics)
                lines.append(f"M {orjson.dumps(message.metrics).decode()}\n")
            lines.append(f"S {device} {metrics} {message.time_us}\n")
        self._write(lines)

    def acknowledged(self, messages: Sequence[Message]) -> None:
        """Note that `messages`, in any order, were acknowledged."""
        if self._file is None:
            return
        numbers = sorted(message.number for message in messages)
        lines: list[str] = []
        first = last = numbers[0]
        for number in numbers[1:]:
            if number != last + 1:
                lines.append(f"A {first} {last}\n")
                first = number
            last = number
        lines.append(f"A {first} {last}\n")
        self._write(lines)

    def _write(self, lines: list[str]) -> None:
        # Unbuffered: a single write call per burst, and nothing left behind in this process.
        assert self._file is not None  # noqa: S101 - both callers have checked
        data = memoryview("".join(lines).encode())
        while data:
            data = data[self._file.write(data) :]


def read_ledger(path: Path) -> Iterator[LedgerEntry]:
    """Yield every message of every run in the file; raise LedgerError at a line that breaks the format."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadArgumentError("--ledger", f"cannot read {path}: {error.strerror}") from error
    lines = data.split(b"\n")[:-1]  # what follows the last newline is torn, or nothing
    if not lines or lines[0] != HEADER.encode():
        raise LedgerError(str(path), 1, f"does not start with {HEADER!r}; is this a ledger of device-sim?")
    run = _Run()
    for number, line in enumerate(lines, 1):
        if line == HEADER.encode():
            yield from run.entries()
            run = _Run()
            continue
        try:
            run.take(line)
        except (ValueError, IndexError, TypeError) as error:
            raise LedgerError(str(path), number, f"{line[:80]!r} is not an entry: {error}") from error
    yield from run.entries()


class _Run:
    """One run's lines, resolved."""

    def __init__(self) -> None:
        self._devices: list[str] = []
        self._metrics: list[tuple[str, ...]] = []
        self._sent: list[tuple[str, tuple[str, ...], int]] = []
        self._acknowledged = bytearray()

    def take(self, line: bytes) -> None:
        kind, rest = line[:2], line[2:]
        if kind == b"S ":
            device, metrics, time_us = map(int, rest.split(b" "))
            self._sent.append((self._devices[device], self._metrics[metrics], time_us))
            self._acknowledged.append(0)
        elif kind == b"A ":
            first, last = map(int, rest.split(b" "))
            if not 0 <= first <= last < len(self._sent):
                raise ValueError(f"acknowledges {first} to {last}, but {len(self._sent)} messages were sent so far")
            self._acknowledged[first : last + 1] = b"\1" * (last + 1 - first)
        elif kind == b"D ":
            self._devices.append(str(orjson.loads(rest)))
        elif kind == b"M ":
            self._metrics.append(tuple(orjson.loads(rest)))
        else:
            raise ValueError("it begins with none of D, M, S, A")

    def entries(self) -> Iterator[LedgerEntry]:
        for (device, metrics, time_us), acknowledged in zip(self._sent, self._acknowledged, strict=True):
            yield LedgerEntry(device, metrics, time_us, bool(acknowledged))


def _cut_torn_line(path: Path) -> None:
    """Cut what a crash left after the last newline, so that the next run starts on a line of its own."""
    if not path.exists():
        return
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)
