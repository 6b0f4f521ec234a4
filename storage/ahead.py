"""Partitions made ahead by an owner, for hubs whose role may not make tables: `telemetry-hub migrate --ahead`.

A hub copies rows straight into partitions, so these get the grants of their table.
"""

import time
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine import RawConnection, lend
from storage.leaves import WIDTHS, Leaves
from storage.partitions import MICROSECOND, instant
from storage.settings import StorageSettings


async def make_ahead(engine: AsyncEngine, settings: StorageSettings, span: timedelta) -> None:
    """Make the partitions of all tables from now to `span` ahead that are missing."""
    leaves = Leaves(settings.partition_width // MICROSECOND)
    now_us = time.time_ns() // 1000
    async with lend(engine) as connection:
        for table in WIDTHS:
            # And those that a hub wants to see ahead when the span is over, so that it does not complain before.
            slots = settings.partitions_ahead if table in {"readings", "readings_text"} else 1
            end_us = now_us + span // MICROSECOND + (slots + 1) * leaves.width_us(table)
            await leaves.cover(connection, table, instant(now_us), instant(end_us))
            await _grant_as_parent(connection, table)


async def _grant_as_parent(connection: RawConnection, table: str) -> None:
    for row in await connection.fetch(_MISSING, table):
        await connection.execute(row["statement"])


_MISSING: Final = """
    SELECT format('GRANT %s ON %s TO %s', given.privilege_type, leaf.oid::regclass,
                  CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END) AS statement
      FROM pg_inherits
      JOIN pg_class leaf ON leaf.oid = inhrelid
      JOIN pg_class parent ON parent.oid = inhparent
     CROSS JOIN aclexplode(parent.relacl) AS given
     WHERE inhparent = $1::text::regclass AND given.grantee <> parent.relowner
       AND NOT EXISTS (SELECT FROM aclexplode(leaf.relacl) AS has
                        WHERE has.grantee = given.grantee AND has.privilege_type = given.privilege_type)
"""
