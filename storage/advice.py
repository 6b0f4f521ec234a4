"""From facts about the server to advice about vacuum and settings: pure, one rule after the other.

Leaves are written once and dropped whole, so they leave no dead rows and hardly need vacuum, except for one thing:
tables that nobody vacuums are frozen by force when they reach `autovacuum_freeze_max_age`, all at an inconvenient time.
"""

from collections.abc import Iterator
from typing import Final

from storage.inspection import ServerFacts

DEAD_SHARE: Final = 0.2
DEAD_ROWS: Final = 10_000
FREEZE_SHARE: Final = 0.8
MUST_BE_ON: Final = {
    "fsync": "a crash of the machine can destroy the database",
    "full_page_writes": "a power cut can leave torn pages",
    "autovacuum": "statistics grow old and transaction numbers run out",
    "track_counts": "autovacuum cannot see what changed",
}
MEGABYTE: Final = {"kB": 1 / 1024, "MB": 1.0, "GB": 1024.0, "TB": 1024.0 * 1024}
MIN_WAL_MB: Final = 2048
MIN_BUFFERS_MB: Final = 128


def advise(facts: ServerFacts) -> Iterator[str]:
    """Yield one sentence for each thing worth doing; nothing when all is well."""
    settings = facts.settings
    for name, danger in MUST_BE_ON.items():
        if settings.get(name) == "off":
            yield f"Switch {name} on: {danger}."
    if _megabytes(settings.get("max_wal_size", "")) < MIN_WAL_MB:
        yield (
            f"Raise max_wal_size from {settings.get('max_wal_size')} to {MIN_WAL_MB // 1024}GB or more: at full ingest"
            " a smaller log means a checkpoint every few seconds, and whole pages written again after each."
        )
    if _megabytes(settings.get("shared_buffers", "")) < MIN_BUFFERS_MB:
        yield (
            f"Raise shared_buffers from {settings.get('shared_buffers')}: the index pages of the current leaf should"
            " stay in memory."
        )
    freeze_at = int(settings.get("autovacuum_freeze_max_age", "200000000"))
    for table in facts.tables:
        if table.dead_rows > DEAD_ROWS and table.dead_rows > DEAD_SHARE * max(table.live_rows, 1):
            yield f'VACUUM "{table.name}": {table.dead_rows:,} dead rows beside {table.live_rows:,} live ones.'
        if table.xid_age > FREEZE_SHARE * freeze_at:
            yield (
                f'VACUUM (FREEZE) "{table.name}" at a quiet time: its oldest transaction is {table.xid_age:,} back, at'
                f" {freeze_at:,} the server does it by force."
            )


def _megabytes(setting: str) -> float:
    """Return a size as Postgres shows it, in MB; unlimited for what cannot be read."""
    digits = setting.rstrip("kMGTB")
    unit = setting[len(digits) :]
    return float(digits) * MEGABYTE[unit] if digits.isdigit() and unit in MEGABYTE else float("inf")
