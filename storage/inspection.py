"""What an operator wants to know of the database: leaves and their sizes, the state of rollups, facts for advice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.engine import RawConnection
from storage.partitions import Leaf, read_leaves
from storage.rollups import Watermarks, read_watermarks
from storage.schema import PARTITIONED


@dataclass(frozen=True, slots=True)
class LeafReport:
    """One leaf: its range, its size with indexes, and the planner's estimate of its rows (-1: never analysed)."""

    table: str
    leaf: Leaf
    size_bytes: int
    rows_estimated: int


@dataclass(frozen=True, slots=True)
class RollupReport:
    """How far the rollups are, and how many hours wait to be computed again."""

    watermarks: Watermarks
    dirty_hours: int
    now: datetime


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What autovacuum has to do with a table."""

    name: str
    live_rows: int
    dead_rows: int
    xid_age: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Settings by name as the server shows them, and the age at which it will freeze tables by force."""

    version: int
    settings: dict[str, str]
    tables: list[TableFacts]


ASKED_SETTINGS: Final = (
    "autovacuum",
    "autovacuum_freeze_max_age",
    "checkpoint_timeout",
    "fsync",
    "full_page_writes",
    "max_wal_size",
    "shared_buffers",
    "synchronous_commit",
    "track_counts",
)


async def read_leaf_reports(connection: RawConnection) -> list[LeafReport]:
    """Return all leaves, table by table, oldest first."""
    reports = []
    for table in PARTITIONED:
        sizes = {row["name"]: (row["size"], row["rows"]) for row in await connection.fetch(_SIZES, table.name)}
        reports += [
            LeafReport(table.name, leaf, *sizes.get(leaf.name, (0, -1)))
            for leaf in await read_leaves(connection, table.name)
        ]
    return reports


async def read_rollup_report(connection: RawConnection) -> RollupReport:
    row = await connection.fetchrow("SELECT count(*) AS dirty, now() AS now FROM rollup_dirty")
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return RollupReport(await read_watermarks(connection), row["dirty"], row["now"])


async def read_server_facts(connection: RawConnection) -> ServerFacts:
    settings = await connection.fetch(_SETTINGS, list(ASKED_SETTINGS))
    return ServerFacts(
        connection.get_server_version().major,
        {row["name"]: row["setting"] for row in settings},
        [TableFacts(*row) for row in await connection.fetch(_TABLES)],
    )


_SIZES = """
    SELECT leaf.relname AS name, pg_total_relation_size(leaf.oid) AS size, leaf.reltuples::int8 AS rows
      FROM pg_inherits JOIN pg_class leaf ON leaf.oid = pg_inherits.inhrelid
     WHERE inhparent = $1::text::regclass
"""
_SETTINGS = "SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY($1::text[])"
_TABLES = """
    SELECT stat.relname::text, n_live_tup, n_dead_tup, age(relfrozenxid), pg_total_relation_size(stat.relid)
      FROM pg_stat_user_tables AS stat JOIN pg_class ON pg_class.oid = stat.relid
     WHERE relkind = 'r' ORDER BY 5 DESC
"""
