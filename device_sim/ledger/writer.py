"""The ledger: what a simulator sent and what was acknowledged to it, on disk before the next message leaves.

Append-only text, a line a fact; a burst of messages is one line and one write. Names are written once and referred to by
their order, messages by their number in the run's schedule:

    device-sim-ledger 2                         starts a run; what follows refers to it
    B 1795190400000000                          the schedule's start, wall clock in us
    D "sim-00000"                               device 0 (then 1, 2, …), the name as JSON
    M ["temperature","humidity"]                metric list 0 (then 1, 2, …)
    S 0 2 [[0,0,1795190400001000,812,[21.5,48]],[0,0,1795190400201000,200812,[21.6,48]]]
                                                2 messages from number 0 on are about to be sent, each as device, metric
                                                list, device time in us, intended time in us after B, values; a sixth
                                                item 0: without a device time, the hub stamps it
    A 1795190400003000 0 17                     messages 0 to 17 got their PUBACK at that wall time
    R 1795190400003000 18 18                    message 18 was in a transaction that got its RECEIPT

A new run appends to the file. A line torn by a crash is cut off when the file is continued, and ignored at the end of
the file when it is read: the line is written before its messages leave, so what a torn line says did not happen.
"Flushed" means handed to the kernel: it outlives the simulator, not a power cut. Read by `reader`.
"""

import io
import os
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import orjson

from device_sim.errors import BadArgumentError
from device_sim.message import Message

HEADER: Final = "device-sim-ledger 2"
LONGEST_LINE: Final = 500
"""Messages in one line at most: a reader holds one line at a time."""
TAIL_BYTES: Final = 1 << 16


class Acknowledgement(IntEnum):
    """Who took responsibility; a stronger promise is greater."""

    NONE = 0
    PUBACK = 1
    """The broker has it."""
    RECEIPT = 2
    """The hub has it, durably."""


LETTERS: Final = {Acknowledgement.PUBACK: "A", Acknowledgement.RECEIPT: "R"}


class LedgerEntry(NamedTuple):
    """One message of a ledger."""

    device: str
    metrics: tuple[str, ...]
    time_us: int
    """Device time; without meaning unless `timed`."""
    values: tuple[float | str | bool, ...]
    """What must be stored, one for each metric."""
    due_us: int
    """When it was meant to be sent, wall clock."""
    acknowledged: Acknowledgement
    acked_us: int
    """Wall time of the first acknowledgement, 0 without one."""
    timed: bool = True


def _wall_us() -> int:
    return time.time_ns() // 1_000


class LedgerWriter:
    """Writes one run: `begin` once, then what happens. Usable as a context manager; `path` None keeps no ledger."""

    def __init__(self, path: Path | None, now_us: Callable[[], int] = _wall_us) -> None:
        self._file: io.FileIO | None = None
        self._now_us = now_us
        self._begun = False
        self._devices: dict[str, int] = {}
        self._metrics: dict[tuple[str, ...], int] = {}
        if path is not None:
            self._file = _opened(path)
            self._write(f"{HEADER}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, start_us: int) -> None:
        """Note the wall time from which the intended times of all messages count."""
        self._begun = True
        if self._file is not None:
            self._write(f"B {start_us}\n".encode())

    def sent(self, messages: Sequence[Message]) -> None:
        """Note that `messages` are about to be sent. Each is noted once, also when it is sent again after a reconnect."""
        if self._file is None or not messages:
            return
        if not self._begun:
            raise ValueError("messages entered before the run began")
        lines: list[bytes] = []
        first = expected = messages[0].number
        rows: list[tuple[object, ...]] = []
        devices, metric_lists = self._devices, self._metrics
        # Unpacked, as asking a NamedTuple for seven fields costs as much as all the rest.
        for number, _, name, names, time_us, due_s, _, _, values, timed, _, _, _ in messages:
            if number != expected or len(rows) == LONGEST_LINE:
                lines.append(b"S %d %d %b\n" % (first, len(rows), orjson.dumps(rows)))
                rows = []
                first = expected = number
            expected += 1
            device = devices.get(name)
            if device is None:
                device = devices[name] = len(devices)
                lines.append(b"D %b\n" % orjson.dumps(name))
            metrics = metric_lists.get(names)
            if metrics is None:
                metrics = metric_lists[names] = len(metric_lists)
                lines.append(b"M %b\n" % orjson.dumps(names))
            due_us = int(due_s * 1e6 + 0.5)
            rows.append(
                (device, metrics, time_us, due_us, values) if timed else (device, metrics, time_us, due_us, values, 0)
            )
        lines.append(b"S %d %d %b\n" % (first, len(rows), orjson.dumps(rows)))
        self._write(b"".join(lines))

    def acknowledged(self, messages: Sequence[Message], by: Acknowledgement = Acknowledgement.PUBACK) -> None:
        """Note that `messages`, in any order, were acknowledged just now."""
        if self._file is None or not messages:
            return
        head = f"{LETTERS[by]} {self._now_us()}"
        numbers = sorted([message.number for message in messages])
        first, last = numbers[0], numbers[-1]
        if last - first == len(numbers) - 1:
            self._write(f"{head} {first} {last}\n".encode())
            return
        lines: list[str] = []
        last = first
        for number in numbers[1:]:
            if number != last + 1:
                lines.append(f"{head} {first} {last}\n")
                first = number
            last = number
        lines.append(f"{head} {first} {last}\n")
        self._write("".join(lines).encode())

    def _write(self, data: bytes) -> None:
        # Unbuffered: a single write call per burst, and nothing left behind in this process.
        assert self._file is not None  # noqa: S101 - the callers have checked
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _cannot_write(self._file.name, error) from error


def check_ledger(path: Path | None) -> None:
    """Refuse, before a run, a ledger that could not be written; BadArgumentError names --ledger."""
    if path is not None:
        _opened(path).close()


def _opened(path: Path) -> io.FileIO:
    if str(path) == "-":
        raise BadArgumentError("--ledger", "a ledger is a file, which a later run continues; name one")
    try:
        _cut_torn_line(path)
        return io.FileIO(path, "ab", opener=_private)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _private(path: str, flags: int) -> int:
    """Open what only its owner may read: it holds every value that a fleet sent."""
    return os.open(path, flags, 0o600)


def _cannot_write(path: object, error: OSError) -> BadArgumentError:
    return BadArgumentError("--ledger", f"cannot write {path}: {error.strerror}")


def _cut_torn_line(path: Path) -> None:
    """Cut what a crash left after the last newline, so that the next run starts on a line of its own."""
    if not path.exists():
        return
    with path.open("rb") as file:
        end = size = file.seek(0, os.SEEK_END)
        kept = 0
        while end and not kept:
            begin = max(0, end - TAIL_BYTES)
            file.seek(begin)
            newline = file.read(end - begin).rfind(b"\n")
            kept = begin + newline + 1 if newline >= 0 else 0
            end = begin
    if kept != size:
        os.truncate(path, kept)
