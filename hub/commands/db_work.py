"""What `telemetry-hub db …` does: each function is one command, prints its answer, and raises HubError or StorageError.

The embedded server is used where one runs on the data directory, and started for the time of the command where none
does. Looking changes nothing, the schema included.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from hub.commands.quarantine_retry import retry
from hub.errors import HubError
from hub.settings.model import HubSettings, routes_of
from hub.telemetry.validation import TimeWindow
from storage.advice import advise
from storage.database import Database
from storage.embedded import EmbeddedPostgres
from storage.engine import DATABASE_AWAY, EMBEDDED, lend
from storage.export import export, export_to
from storage.inspection import read_leaf_reports, read_rollup_report, read_server_facts
from storage.partitions import NEWEST_US, OLDEST_US, instant, microseconds
from storage.queries import Queries
from storage.queries.refused import QuarantineFilter, Refused, count_refused, remove_refused
from storage.settings import StorageSettings
from storage.spool import SPOOL_FILE, read_spool
from storage.store import Store

SHOWN_BYTES: Final = 2_000
SHOWN_REFUSALS: Final = 20
WIDE: Final = 400
STDOUT: Final = Path("-")


def show_partitions(settings: HubSettings, *, as_json: bool = False) -> None:
    async def look() -> None:
        console = _console()
        async with opened(settings) as database, lend(database.queries) as connection:
            reports = await read_leaf_reports(connection)
            rollups = await read_rollup_report(connection)
        if as_json:
            leaves = [
                {
                    "table": report.table,
                    "leaf": report.leaf.name,
                    "from": _iso(report.leaf.start_us),
                    "to": _iso(report.leaf.end_us),
                    "bytes": report.size_bytes,
                    "rows_estimated": report.rows_estimated if report.rows_estimated >= 0 else None,
                }
                for report in reports
            ]
            minutes_to, hours_to = rollups.watermarks.minutes_to.isoformat(), rollups.watermarks.hours_to.isoformat()
            _print_json(
                {"leaves": leaves, "minutes_to": minutes_to, "hours_to": hours_to, "dirty_hours": rollups.dirty_hours}
            )
            return
        table = Table("table", "leaf", "from", "to", "size", "rows (estimate)")
        for report in reports:
            rows = "not analysed" if report.rows_estimated < 0 else f"{report.rows_estimated:,}"
            begin, end = _minute(report.leaf.start_us), _minute(report.leaf.end_us)
            table.add_row(report.table, report.leaf.name, begin, end, _size(report.size_bytes), rows)
        console.print(table)
        for name, until in (("minutes", rollups.watermarks.minutes_to), ("hours", rollups.watermarks.hours_to)):
            console.print(f"{name} rolled up to {until:%Y-%m-%d %H:%M}")
        console.print(f"hours to compute again: {rollups.dirty_hours}")

    run(look())


def show_spool(settings: HubSettings, *, as_json: bool = False) -> None:
    path = settings.data_dir / SPOOL_FILE
    content = read_spool(path)
    if as_json:
        oldest = None if content.oldest_us is None else _iso(content.oldest_us)
        numbers = {"batches": content.batches, "rows": content.rows, "bytes": content.size_bytes}
        _print_json({"file": str(path), **numbers, "oldest": oldest})
        return
    size = _size(content.size_bytes)
    console = _console()
    console.print(f"{escape(str(path))}: {content.batches} batches, {content.rows:,} rows, {size} compressed")
    if content.oldest_us is not None:
        age_s = time.time() - content.oldest_us / 1_000_000
        console.print(f"oldest: {_minute(content.oldest_us)} UTC, {age_s:,.0f} s ago")


def show_advice(settings: HubSettings, *, as_json: bool = False) -> None:
    async def look() -> None:
        async with opened(settings) as database, lend(database.queries) as connection:
            advice = list(advise(await read_server_facts(connection)))
        if as_json:
            _print_json({"advice": advice})
            return
        for sentence in advice or ["Nothing to do."]:
            _console().print(escape(sentence))

    run(look())


def export_range(
    settings: HubSettings,
    series: tuple[str, str],
    between: tuple[datetime | None, datetime | None],
    output: Path,
    kind: str,
    *,
    raw: bool = False,
) -> None:
    """Write [from, to) of a (device, metric) to the file, or to stdout for `-`; times without a zone are UTC."""
    start, end = between
    from_us = OLDEST_US if start is None else microseconds(start.replace(tzinfo=UTC))
    to_us = NEWEST_US if end is None else microseconds(end.replace(tzinfo=UTC))

    async def write() -> None:
        async with opened(settings) as database:
            pages = Queries(database).pages(*series, from_us, to_us)
            if output == STDOUT:
                with contextlib.suppress(BrokenPipeError):  # who reads it has seen enough
                    await export_to(pages, sys.stdout.buffer, kind, raw=raw)
                return
            count = await export(pages, output, kind, raw=raw)
        _console().print(f"{count:,} readings in {escape(str(output))}")

    run(write())


def list_quarantine(
    settings: HubSettings, reason: str | None, topic: str, limit: int, *, as_json: bool = False
) -> None:
    async def look() -> None:
        async with opened(settings) as database:
            found = await _quarantined(database, reason, topic, limit)
        if as_json:
            _print_json(
                [
                    {
                        "id": str(one.id),
                        "received": _iso(one.item.received_us),
                        "topic": one.item.topic,
                        "content_type": one.item.content_type,
                        "origin": one.item.origin,
                        "retained": one.item.retained,
                        "reason": one.item.reason,
                        "bytes": len(one.item.payload),
                        "detail": one.item.detail,
                    }
                    for one in found
                ]
            )
            return
        table = Table(
            Column("id", no_wrap=True), "received", "topic", "content type", "origin", "reason", "bytes", "detail"
        )
        for one in found:
            item = one.item
            received, size = _minute(item.received_us), str(len(item.payload))
            kind, origin = escape(item.content_type or ""), f"{item.origin}{', retained' if item.retained else ''}"
            names = (escape(item.topic), kind, origin, item.reason)
            table.add_row(str(one.id), received, *names, size, escape(item.detail))
        _console().print(table)

    run(look())


def count_quarantine(
    settings: HubSettings, reason: str | None, topic: str, limit: int, *, as_json: bool = False
) -> None:
    """Say how often payloads of each topic were refused, for each reason."""

    async def look() -> None:
        async with opened(settings) as database, lend(database.queries) as connection:
            found = await count_refused(connection, QuarantineFilter(reason=reason, topic=topic), limit)
        if as_json:
            _print_json(
                [
                    {
                        "topic": one.topic,
                        "reason": one.reason,
                        "payloads": one.payloads,
                        "first": _iso(one.first_us),
                        "last": _iso(one.last_us),
                    }
                    for one in found
                ]
            )
            return
        table = Table("topic", "reason", Column("payloads", justify="right"), "first", "last")
        for one in found:
            times = (_minute(one.first_us), _minute(one.last_us))
            table.add_row(escape(one.topic), one.reason, f"{one.payloads:,}", *times)
        _console().print(table if found else "The quarantine is empty.")

    run(look())


def show_quarantined(settings: HubSettings, identity: UUID) -> None:
    async def look() -> None:
        async with opened(settings) as database:
            item = (await _one(database, identity)).item
        console = _console()
        console.print(f"topic: {escape(item.topic)}\nreceived: {instant(item.received_us).isoformat()}")
        console.print(f"content type: {escape(item.content_type or 'none')}\norigin: {item.origin}")
        console.print(f"retained: {'yes' if item.retained else 'no'}")
        console.print(f"reason: {item.reason}\ndetail: {escape(item.detail)}\n")
        console.print(escape(item.payload[:SHOWN_BYTES].decode(errors="backslashreplace")))

    run(look())


def retry_quarantined(settings: HubSettings, identity: UUID | None, reason: str | None, topic: str, limit: int) -> None:
    """Take one payload, or those chosen, through the routes again."""

    async def mend() -> None:
        async with opened(settings) as database:
            if identity is not None:
                chosen: Sequence[Refused] = [await _one(database, identity)]
            else:
                chosen = await _quarantined(database, reason, topic, limit)
            async with _store(settings, database) as store:
                window = TimeWindow(round(settings.telemetry.future_s * 1_000_000))
                now_us = database.clock.database_us()
                report = await retry(chosen, routes_of(settings.telemetry), store, window, now_us)
            if gone := [*report.stored, *report.replaced]:
                async with lend(database.queries) as connection:
                    await remove_refused(connection, gone)
        console = _console()
        console.print(f"{len(report.stored)} payloads gave {report.readings} readings, {len(report.refused)} refused")
        for one, why in report.refused[:SHOWN_REFUSALS]:
            console.print(f"  {one.id} {escape(one.item.topic)}: {escape(why)}")

    run(mend())


@asynccontextmanager
async def opened(settings: HubSettings) -> AsyncIterator[Database]:
    """Lend a connected database; the embedded server is shared with a running hub, or started."""
    storage, own = settings.storage, None
    if storage.database_url == EMBEDDED:
        postgres = EmbeddedPostgres(settings.data_dir / "postgres")
        url = postgres.attached_url()
        if url is None:
            if not (postgres.cluster / "PG_VERSION").exists():
                raise HubError(
                    f"there is no embedded database in {settings.data_dir}: name the hub's own directory with --data-dir or"
                    " --config, or its database with --database-url"
                )
            own = postgres
            url = await asyncio.to_thread(postgres.start)
        storage = storage.model_copy(update={"database_url": url})
    database = Database(storage, settings.data_dir)
    try:
        await database.connect()
        yield database
    finally:
        await database.close()
        if own is not None:
            await asyncio.to_thread(own.stop)


@asynccontextmanager
async def _store(settings: HubSettings, database: Database) -> AsyncIterator[Store]:
    """Lend a store without a spool: what a command stores is in Postgres, or the command fails."""
    storage = StorageSettings.model_validate(
        settings.storage.model_dump() | {"database_url": database.url, "spool_bytes": 0}
    )
    with tempfile.TemporaryDirectory(prefix="telemetry-hub-") as directory:
        store = Store(storage, Path(directory))
        await store.start()
        try:
            yield store
        finally:
            await store.close()


async def _quarantined(database: Database, reason: str | None, topic: str, limit: int) -> list[Refused]:
    found: list[Refused] = []
    async for one in Queries(database).quarantined(QuarantineFilter(reason=reason, topic=topic)):
        found.append(one)
        if len(found) == limit:
            break
    return found


async def _one(database: Database, identity: UUID) -> Refused:
    async for one in Queries(database).quarantined(QuarantineFilter(id=identity)):
        return one
    raise HubError(f"there is no payload {identity} in quarantine; `telemetry-hub db quarantine list` shows them")


def run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except DATABASE_AWAY as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        raise HubError(f"storage.database_url: the database does not answer: {problem}") from error


def _console() -> Console:
    # Into a file or a pipe goes everything: only a terminal has an edge.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)


def _print_json(answer: object) -> None:
    print(json.dumps(answer, ensure_ascii=False))  # noqa: T201 - a command's answer


def _iso(time_us: int) -> str:
    return instant(min(max(time_us, OLDEST_US), NEWEST_US)).isoformat()


def _minute(time_us: int) -> str:
    return f"{instant(min(max(time_us, OLDEST_US), NEWEST_US)):%Y-%m-%d %H:%M}"


def _size(count: int) -> str:
    if count < 1 << 20:
        return f"{count / 1024:,.0f} kB"
    return f"{count / (1 << 20):,.1f} MB"
