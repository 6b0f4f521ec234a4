"""Whether a database has the schema that this program knows, asked without Alembic.

Alembic takes longer to import than everything else that a start needs of the database. Nearly each start finds nothing to
migrate, so it is asked here first; `migrate` does the work, and decides what to do with a revision that is not known.
"""

import re
from pathlib import Path

from storage.engine import RawConnection

_MIGRATION = re.compile(r"r([0-9]+)_[a-z0-9_]+\.py")


def newest_revision() -> str:
    """Return the newest revision that this program knows: the name of a migration's file begins with its revision."""
    versions = Path(__file__).with_name("migrations") / "versions"
    return max(match[1] for file in versions.iterdir() if (match := _MIGRATION.fullmatch(file.name)))


async def is_newest(connection: RawConnection) -> bool:
    """Say whether the database holds the newest schema; raises what the driver raises when it is away."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return False
    return [newest_revision()] == [row[0] for row in await connection.fetch("SELECT version_num FROM alembic_version")]
