"""The quarantine: listed newest first, and emptied of what was mended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from storage.engine import RawConnection
from storage.partitions import instant, microseconds
from storage.quarantine import QuarantinedPayload


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which payloads: received in [from_us, to_us), with this reason, with this text in their topic, or this one."""

    from_us: int = 0
    to_us: int = 4_102_444_800_000_000
    reason: str | None = None
    topic: str = ""
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """One payload in quarantine; `id` and `item.received_us` together are its key."""

    id: UUID
    item: QuarantinedPayload


async def refused_page(
    connection: RawConnection, chosen: QuarantineFilter, before: Refused | None, rows: int
) -> list[Refused]:
    """Return the next payloads behind `before`, newest first."""
    before_ts: datetime | None = instant(before.item.received_us) if before else None
    found = await connection.fetch(
        _REFUSED,
        instant(chosen.from_us),
        instant(chosen.to_us),
        chosen.reason,
        chosen.topic,
        before_ts,
        before.id if before else None,
        rows,
        chosen.id,
    )
    return [
        Refused(number, QuarantinedPayload(topic, payload, reason, microseconds(ts), *rest))
        for ts, number, topic, payload, reason, *rest in found
    ]


class RefusedCount(NamedTuple):
    """How often payloads of one topic were refused for one reason."""

    topic: str
    reason: str
    payloads: int
    first_us: int
    last_us: int


async def count_refused(connection: RawConnection, chosen: QuarantineFilter, rows: int) -> list[RefusedCount]:
    """Return the counts by topic and reason, the most frequent first."""
    found = await connection.fetch(
        _COUNT, instant(chosen.from_us), instant(chosen.to_us), chosen.reason, chosen.topic, rows
    )
    return [
        RefusedCount(topic, reason, payloads, microseconds(first), microseconds(last))
        for topic, reason, payloads, first, last in found
    ]


async def remove_refused(connection: RawConnection, mended: Sequence[Refused]) -> int:
    """Delete payloads that were stored after all; return their number."""
    status = await connection.execute(
        _REMOVE, [instant(one.item.received_us) for one in mended], [one.id for one in mended]
    )
    return int(status.rpartition(" ")[2])


_REFUSED: Final = """
    SELECT ts, id, topic, payload, reason, detail, content_type, origin, retained
      FROM quarantine
     WHERE ts >= $1 AND ts < $2 AND ($3::text IS NULL OR reason = $3) AND strpos(topic, $4) > 0
       AND ($8::uuid IS NULL OR id = $8)
       AND ($5::timestamptz IS NULL OR (ts, id) < ($5, $6::uuid))
     ORDER BY ts DESC, id DESC LIMIT $7
"""
_COUNT: Final = """
    SELECT topic, reason, count(*), min(ts), max(ts)
      FROM quarantine
     WHERE ts >= $1 AND ts < $2 AND ($3::text IS NULL OR reason = $3) AND strpos(topic, $4) > 0
     GROUP BY topic, reason ORDER BY count(*) DESC, topic, reason LIMIT $5
"""
_REMOVE: Final = """
    DELETE FROM quarantine USING unnest($1::timestamptz[], $2::uuid[]) AS mended(ts, id)
     WHERE quarantine.ts = mended.ts AND quarantine.id = mended.id
"""
