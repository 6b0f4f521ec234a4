"""What becomes of rows that cannot be put all at once: divided until those that nothing can be done for are alone.

A failure of the database ends it, and all is put again later. Where rows are to blame (see `blame`) they are halved, down
to the guilty ones. Where a place is, the rows are divided by leaf, and those of the guilty leaf are set aside: the
caller keeps them and offers them again. A leaf that failed is not tried again for a while (`Places`), so that a lock or
a full tablespace costs the other rows nothing but the first attempt.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import asyncpg
import numpy as np
import numpy.typing as npt

from storage.backoff import Backoff
from storage.blame import BAD_VALUES, Blame, PlaceError, blame, told

Rows: TypeAlias = npt.NDArray[np.intp]
"""Numbers of rows in what the caller has."""
Put: TypeAlias = Callable[[Rows], Awaitable[None]]

REFUSED: Final = "refused"
UNWRITABLE: Final = "unwritable"
LONGEST_REST_S: Final = 30.0
FAILED: Final = (asyncpg.PostgresError, PlaceError, *BAD_VALUES)


@dataclass(slots=True)
class Aside:
    """What was not stored: the number of each row, and why."""

    refused: dict[int, tuple[str, str]] = field(default_factory=dict)
    """With a code for the quarantine, and the details."""
    waiting: dict[int, str] = field(default_factory=dict)

    def refuse(self, rows: Rows, reason: str, detail: str) -> None:
        self.refused.update(dict.fromkeys(rows.tolist(), (reason, detail)))

    def wait(self, rows: Rows, why: str) -> None:
        self.waiting.update(dict.fromkeys(rows.tolist(), why))

    def __bool__(self) -> bool:
        return bool(self.refused or self.waiting)

    def all(self) -> Iterator[tuple[int, tuple[str, str] | str]]:
        """Yield each row with why it was refused, or with why it waits."""
        yield from self.refused.items()
        yield from self.waiting.items()

    @property
    def problem(self) -> str:
        """Return why one of the rows waits, or was refused; empty when none."""
        refusal = next(iter(self.refused.values()), ("", ""))
        return next(iter(self.waiting.values()), refusal[1])

    def add(self, other: "Aside") -> None:
        self.refused |= other.refused
        self.waiting |= other.waiting


@dataclass(slots=True)
class _Place:
    backoff: Backoff
    rests_until_s: float
    why: str


class Places:
    """The leaves and tables that failed lately; shared by all connections of a process. Bounded by their number."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def problem(self, name: str) -> str | None:
        """Return why the place is left alone at present, None when it may be tried."""
        place = self._places.get(name)
        return place.why if place is not None and time.monotonic() < place.rests_until_s else None

    def failed(self, name: str, why: str) -> None:
        place = self._places.setdefault(name, _Place(Backoff(first_s=1.0, longest_s=LONGEST_REST_S), 0.0, why))
        place.why = why
        place.rests_until_s = time.monotonic() + place.backoff.next_s()

    def worked(self, name: str) -> None:
        self._places.pop(name, None)

    def told(self) -> str:
        """Return the places and their problems in one line, empty when there is none."""
        return "; ".join(f"{name}: {place.why}" for name, place in sorted(self._places.items())[:5])


async def divide(rows: Rows, put: Put, place: str, places: Places, aside: Aside) -> None:
    """Put rows of one place; what cannot be stored is in `aside`. Raises when the database is away.

    `put` puts rows or raises, and then none of them is stored.
    """
    if not len(rows):
        return
    if places and (problem := places.problem(place)) is not None:
        aside.wait(rows, problem)
        return
    try:
        await put(rows)
    except FAILED as error:
        match blame(error):
            case Blame.AWAY:
                raise
            case Blame.PLACE:
                places.failed(place, told(error))
                aside.wait(rows, told(error))
            case Blame.ROWS if len(rows) == 1:
                aside.refuse(rows, REFUSED, told(error))
            case Blame.ROWS:
                half = len(rows) // 2
                await divide(rows[:half], put, place, places, aside)
                await divide(rows[half:], put, place, places, aside)
    else:
        if places:
            places.worked(place)


async def insist(rows: Rows, put: Put, aside: Aside) -> None:
    """Put rows that have waited long enough: what a place still does not take is refused.

    Halves, as long as one of two goes through: one row that makes a trigger hang is found, and a table that nobody may
    write costs two attempts.
    """
    if not len(rows):
        return
    half = len(rows) // 2
    parts = [part for part in (rows[:half], rows[half:]) if len(part)]
    failed = [(part, why) for part in parts if (why := await _attempt(part, put)) is not None]
    for part, why in failed:
        if len(failed) == len(parts) or len(part) == 1:
            aside.refuse(part, UNWRITABLE, why)
        else:
            await insist(part, put, aside)


async def _attempt(rows: Rows, put: Put) -> str | None:
    try:
        await put(rows)
    except FAILED as error:
        if blame(error) is Blame.AWAY:
            raise
        return told(error)
    return None
