"""Partitions by time: which leaf holds an instant, which leaves to make and to drop, and how one is made.

The plan is a pure function of the time and the leaves that exist. A leaf's bounds are read from the catalogue, never
from its name, so a changed width setting only shapes leaves made from then on: a new leaf is clipped to the gap
between its neighbours.

A leaf far from now is wide: up to `TIER_LEAVES` widths away one width, and ten times as wide for each power of ten beyond.
So a leaf is at most a tenth as wide as its readings are old, and there are some three hundred of them in all of time,
however many days a backfill holds (docs/decisions/wide-partitions.md).

There is no default partition: it would have to be scanned whenever a leaf is attached. A reading outside all leaves
makes its leaf instead. A leaf is made beside its parent and then attached, which blocks neither writers nor readers.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from storage.engine import RawConnection

LOCK_PARTITIONS: Final = 0x7E1E_0002
MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OLDEST_US: Final = 0
NEWEST_US: Final = 4_102_444_800_000_000
"""Readings before 1970 or after 2100 are refused: a wrong clock must not make a leaf of its own."""


TIER_LEAVES: Final = 100
TIER_FACTOR: Final = 10


class Leaf(NamedTuple):
    """One partition: its table's name and the instants [start_us, end_us) that it holds."""

    start_us: int
    end_us: int
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What maintenance has to do to one table: ranges to make leaves for, leaves to drop."""

    create: tuple[tuple[int, int], ...]
    drop: tuple[Leaf, ...]


def instant(time_us: int) -> datetime:
    """Return microseconds since 1970 as a datetime, exactly."""
    return EPOCH + time_us * MICROSECOND


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def leaf_name(table: str, start_us: int) -> str:
    """Return the name of a leaf: the date of its begin, with the time of day where that is not midnight."""
    start = instant(start_us)
    midnight = start.time().isoformat() == "00:00:00"
    return f"{table}_{start:%Y%m%d}" if midnight else f"{table}_{start:%Y%m%d_%H%M%S}"


def find_leaf(leaves: Sequence[Leaf], time_us: int) -> Leaf | None:
    """Return the leaf that holds `time_us`; `leaves` are sorted by their begin."""
    index = bisect_right(leaves, time_us, key=_start) - 1
    if index >= 0 and time_us < leaves[index].end_us:
        return leaves[index]
    return None


def _start(leaf: Leaf) -> int:
    return leaf.start_us


def width_at(time_us: int, now_us: int, width_us: int) -> int:
    """Return how wide a leaf for `time_us` is to be, where leaves of today are `width_us` wide."""
    while abs(now_us - time_us) > TIER_LEAVES * width_us:
        width_us *= TIER_FACTOR
    return width_us


def gap_around(leaves: Sequence[Leaf], time_us: int, width_us: int) -> tuple[int, int]:
    """Return the range of a new leaf for `time_us`: its aligned slot, cut where neighbours reach into it."""
    start = time_us - time_us % width_us
    end = start + width_us
    index = bisect_right(leaves, time_us, key=_start)
    if index > 0:
        start = max(start, leaves[index - 1].end_us)
    if index < len(leaves):
        end = min(end, leaves[index].start_us)
    return start, end


def plan(now_us: int, leaves: Sequence[Leaf], width_us: int, ahead: int, keep_us: int | None) -> Plan:
    """Return what to make so that `ahead` slots after the current one exist, and what has outlived `keep_us`."""
    create: list[tuple[int, int]] = []
    known = list(leaves)
    until = now_us + ahead * width_us
    at = now_us
    while at <= until:
        leaf = find_leaf(known, at)
        if leaf is None:
            start, end = gap_around(known, at, width_us)
            create.append((start, end))
            leaf = Leaf(start, end, "")
            known.append(leaf)
            known.sort()
        at = leaf.end_us
    drop = () if keep_us is None else tuple(leaf for leaf in leaves if leaf.end_us <= now_us - keep_us)
    return Plan(tuple(create), drop)


async def read_leaves(connection: RawConnection, table: str) -> list[Leaf]:
    """Return the leaves of `table`, sorted; a bound without limit counts as the end of time."""
    rows = await connection.fetch(_LEAVES_SQL, table)
    return sorted(
        Leaf(
            microseconds(row["begins"]) if row["begins"] else -(1 << 62),
            microseconds(row["ends"]) if row["ends"] else 1 << 62,
            row["name"],
        )
        for row in rows
    )


# 0 and not the leaf's oid: Postgres would take a lock on the leaf, and one that somebody holds would keep us from all.
_LEAVES_SQL = r"""
    SELECT name,
           (regexp_match(bound, $$FROM \('([^']+)'\)$$))[1]::timestamptz AS begins,
           (regexp_match(bound, $$TO \('([^']+)'\)$$))[1]::timestamptz AS ends
      FROM (SELECT leaf.relname AS name, pg_get_expr(leaf.relpartbound, 0) AS bound
              FROM pg_inherits
              JOIN pg_class leaf ON leaf.oid = pg_inherits.inhrelid
             WHERE inhparent = $1::text::regclass AND NOT inhdetachpending) AS bounds
"""


async def make_leaf(connection: RawConnection, table: str, time_us: int, width_us: int) -> list[Leaf]:
    """Make the leaf of `table` that holds the instant, if it is missing; return all leaves.

    Under an advisory lock, because several hubs meet at midnight; who comes second finds the work done. One leaf is one
    transaction: what is interrupted goes on where it was, and no writer waits for more than one.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_PARTITIONS)
        leaves = await read_leaves(connection, table)
        if find_leaf(leaves, time_us) is None:
            start, end = gap_around(leaves, time_us, width_us)
            name = await _free_name(connection, leaf_name(table, start))
            await connection.execute(
                f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING ALL);'
                f'ALTER TABLE "{table}" ATTACH PARTITION "{name}"'
                f" FOR VALUES FROM ('{instant(start).isoformat()}') TO ('{instant(end).isoformat()}')"
            )
            leaves.append(Leaf(start, end, name))
            leaves.sort()
    return leaves


async def _free_name(connection: RawConnection, name: str) -> str:
    """Return `name`, or with a number behind it where an operator's detached leaf still has it."""
    candidate, number = name, 1
    while await connection.fetchval("SELECT to_regclass($1)", f'"{candidate}"') is not None:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
