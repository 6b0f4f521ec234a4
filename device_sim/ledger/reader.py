"""Reads a ledger (format: `ledger`) in two passes, holding one line of it and 9 bytes a message.

An acknowledgement comes later in the file than its message. The first pass looks at the short lines only and keeps, for
each message, by whom and when it was acknowledged; the second yields the messages with that knowledge. What is appended
to the file between the passes is not looked at.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from device_sim.errors import BadArgumentError, LedgerError
from device_sim.ledger.writer import HEADER, LETTERS, Acknowledgement, LedgerEntry

ACKNOWLEDGEMENTS = {f"{letter} ".encode(): kind for kind, letter in LETTERS.items()}
KINDS = tuple(Acknowledgement)
LAST_NUMBER = 1 << 31
HEADER_LINE = HEADER.encode()


class RunSpan(NamedTuple):
    """The wall times between which a run happened."""

    begin_us: int
    end_us: int


class LedgerFile:
    """One file, checked at construction; `entries` may be called more than once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: list[_Acknowledgements] = []
        self._bytes = 0
        for number, line in self._lines(None):
            self._bytes += len(line) + 1
            if line == HEADER_LINE:
                self._runs.append(_Acknowledgements())
                continue
            if number == 1:
                break
            try:
                self._runs[-1].note(line)
            except (ValueError, OverflowError) as error:
                raise self._error(number, line, error) from error
        if not self._runs:
            raise LedgerError(str(path), 1, f"does not start with {HEADER!r}; is this a ledger of device-sim?")

    @property
    def spans(self) -> list[RunSpan]:
        """One for each run in which something was sent."""
        return [RunSpan(run.begin_us, run.end_us) for run in self._runs if run.kinds]

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield every message of every run; raise LedgerError at a line that breaks the format."""
        runs = iter(self._runs)
        run = _LedgerRun(next(runs))
        for number, line in self._lines(self._bytes):
            if line == HEADER_LINE:
                if number > 1:
                    run = _LedgerRun(next(runs))
                continue
            try:
                yield from run.take(line)
            except (ValueError, IndexError, TypeError) as error:
                raise self._error(number, line, error) from error

    def _lines(self, limit_bytes: int | None) -> Iterator[tuple[int, bytes]]:
        """Yield the whole lines without their newline; what follows the last newline is torn, or nothing."""
        try:
            with self._path.open("rb") as file:
                read = 0
                for number, line in enumerate(file, 1):
                    read += len(line)
                    if not line.endswith(b"\n") or (limit_bytes is not None and read > limit_bytes):
                        return
                    yield number, line[:-1]
        except OSError as error:
            raise BadArgumentError("--ledger", f"cannot read {self._path}: {error.strerror}") from error

    def _error(self, number: int, line: bytes, error: Exception) -> LedgerError:
        return LedgerError(str(self._path), number, f"{line[:80]!r} is not an entry: {error}")


class _Acknowledgements:
    """What the first pass keeps of a run; `kinds` and `times_us` by number of the message."""

    def __init__(self) -> None:
        self.kinds = bytearray()
        self.times_us = array("q")
        self.begin_us = self.end_us = 0

    def note(self, line: bytes) -> None:
        kind, rest = line[:2], line[2:]
        if kind == b"S ":
            number, count, _ = rest.split(b" ", 2)
            self._grow(int(number) + int(count))
        elif kind == b"B ":
            self.begin_us = int(rest)
            self.end_us = max(self.end_us, self.begin_us)
        elif (by := ACKNOWLEDGEMENTS.get(kind)) is not None:
            at_us, first, last = map(int, rest.split(b" "))
            self._acknowledge(by, at_us, first, last)
            self.end_us = max(self.end_us, at_us)
        elif kind not in {b"D ", b"M "}:
            raise ValueError("it begins with none of B, D, M, S, A, R")

    def _grow(self, length: int) -> None:
        if not 0 < length < LAST_NUMBER:
            raise ValueError(f"{length} messages cannot be")
        if (more := length - len(self.kinds)) > 0:
            self.kinds.extend(bytes(more))
            self.times_us.frombytes(bytes(more * self.times_us.itemsize))

    def _acknowledge(self, by: Acknowledgement, at_us: int, first: int, last: int) -> None:
        if not 0 <= first <= last < len(self.kinds):
            raise ValueError(f"acknowledges {first} to {last}, but {len(self.kinds)} messages were sent so far")
        for number in range(first, last + 1):
            if not self.times_us[number]:
                self.times_us[number] = at_us
            self.kinds[number] = max(self.kinds[number], by)


class _LedgerRun:
    """One run's lines, resolved."""

    def __init__(self, acknowledgements: _Acknowledgements) -> None:
        self._acknowledgements = acknowledgements
        self._begin_us = 0
        self._devices: list[str] = []
        self._metrics: list[tuple[str, ...]] = []

    def take(self, line: bytes) -> Iterator[LedgerEntry]:
        kind, rest = line[:2], line[2:]
        if kind == b"S ":
            first, count, rows = rest.split(b" ", 2)
            messages: list[list[Any]] = orjson.loads(rows)
            if len(messages) != int(count):
                raise ValueError(f"it says {int(count)} messages and holds {len(messages)}")
            kinds, times_us = self._acknowledgements.kinds, self._acknowledgements.times_us
            for number, (device, metrics, time_us, due_us, values, *untimed) in enumerate(messages, int(first)):
                names = self._metrics[metrics]
                if len(names) != len(values):
                    raise ValueError(f"{len(values)} values for the {len(names)} metrics {names}")
                yield LedgerEntry(
                    self._devices[device],
                    names,
                    int(time_us),
                    tuple(values),
                    self._begin_us + int(due_us),
                    KINDS[kinds[number]],
                    times_us[number],
                    not untimed,
                )
        elif kind == b"D ":
            self._devices.append(str(orjson.loads(rest)))
        elif kind == b"M ":
            self._metrics.append(tuple(orjson.loads(rest)))
        elif kind == b"B ":
            self._begin_us = int(rest)


def read_ledger(path: Path) -> Iterator[LedgerEntry]:
    """Yield every message of every run in the file."""
    return LedgerFile(path).entries()
