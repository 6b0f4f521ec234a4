"""`telemetry-hub db delete` and `db rename`: counts first, a question, then the change; running hubs follow.

They wait for the maintenance lock, so no rollup is computed from what is being removed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from hub.commands.db_work import opened, run
from hub.errors import HubError
from hub.settings.model import HubSettings
from storage.changes import Change, delete, extent, rename
from storage.engine import RawConnection, lend
from storage.maintenance import LOCK_MAINTENANCE
from storage.name_watch import TOLD_S
from storage.partitions import NEWEST_US, OLDEST_US, instant, microseconds

LOCK_S: Final = 300.0
LOCK_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether to ask before the change, and whether to make it."""

    yes: bool = False
    dry_run: bool = False


def change_of(
    device: str,
    metric: str | None,
    between: tuple[datetime | None, datetime | None] = (None, None),
    new: tuple[str | None, str | None] = (None, None),
) -> Change:
    """Return what the arguments mean; times without a zone are UTC."""
    start, end = between
    from_us = OLDEST_US if start is None else microseconds(start.replace(tzinfo=UTC))
    to_us = NEWEST_US if end is None else microseconds(end.replace(tzinfo=UTC))
    if from_us >= to_us:
        raise HubError("--from must be before --to")
    return Change(device, metric, from_us, to_us, *new)


def delete_names(settings: HubSettings, change: Change, consent: Consent) -> None:
    async def work() -> None:
        console = _console()
        async with opened(settings) as database, lend(database.queries) as connection:
            await _ask(connection, change, f"Delete {_what(change)}", consent)
            async with _maintenance_lock(connection, console):
                removed = await delete(connection, change, lambda done: console.print(escape(done)))
            await asyncio.sleep(TOLD_S)
        print(f"{removed:,} readings deleted")  # noqa: T201 - a command's answer

    run(work())


def rename_names(settings: HubSettings, change: Change, consent: Consent) -> None:
    async def work() -> None:
        console = _console()
        async with opened(settings) as database, lend(database.queries) as connection:
            new = "/".join(filter(None, (change.new_device, change.new_metric or change.metric)))
            await _ask(connection, change, f"Rename {_what(change)} to {new}", consent)
            async with _maintenance_lock(connection, console):
                count = await rename(connection, change)
            await asyncio.sleep(TOLD_S)
        print(f"{count:,} series renamed")  # noqa: T201 - a command's answer

    run(work())


async def _ask(connection: RawConnection, change: Change, question: str, consent: Consent) -> None:
    """Say what the change is about, and ask; ends the program where the answer is no, or nothing is to be done."""
    found = await extent(connection, change)
    numbers, texts = found.rows["readings"], found.rows["readings_text"]
    print(f"{question}: {found.series:,} series, {numbers:,} numbers, {texts:,} texts")  # noqa: T201 - the answer
    if consent.dry_run:
        raise typer.Exit
    if not consent.yes and not await asyncio.to_thread(typer.confirm, "This cannot be undone. Go on?", err=True):
        raise typer.Exit(1)


@asynccontextmanager
async def _maintenance_lock(connection: RawConnection, console: Console) -> AsyncIterator[None]:
    told = False
    async with asyncio.timeout(LOCK_S):
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_MAINTENANCE):
            if not told:
                console.print("waiting for a hub's round of maintenance")
                told = True
            await asyncio.sleep(LOCK_POLL_S)
    yield
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_MAINTENANCE)


def _what(change: Change) -> str:
    name = change.device if change.metric is None else f"{change.device}/{change.metric}"
    if change.whole:
        return name
    begin = "the beginning" if change.from_us <= OLDEST_US else f"{instant(change.from_us):%Y-%m-%d %H:%M:%S}"
    end = "the end" if change.to_us >= NEWEST_US else f"{instant(change.to_us):%Y-%m-%d %H:%M:%S}"
    return f"{name} from {begin} to {end}, UTC"


def _console() -> Console:
    """Progress is for who watches: the answer is on stdout."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)
