"""`telemetry-hub db …` against a real database, beside a hub or alone."""

import asyncio
import csv
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.broker.broker import Broker, BrokerLimits
from hub.commands.db import app
from hub.processes import child_process
from hub.settings.model import load_settings, routes_of
from hub.telemetry.audience import Audience
from hub.telemetry.pipeline import Pipeline
from storage.engine import RawConnection
from storage.quarantine import QuarantinedPayload, refused_reading
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.spool import SPOOL_FILE, Spool
from storage.store import Store
from tests.support.sparkplug import NBIRTH, NDATA
from tests.support.waiting import wait_until

NOW = time.time_ns() // 1000


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(StorageSettings(database_url=database_url), tmp_path / "hub")
    await store.start()
    yield store
    await store.close()


async def run(*arguments: str) -> str:
    """Run a command in a thread, because it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


async def test_partitions_are_listed_with_sizes(store: Store, database_url: str) -> None:
    await store.write([Reading("d", "m", NOW, 1.0)])

    output = await run("partitions", "--database-url", database_url)

    assert "readings_" in output
    assert "kB" in output
    assert "hours to compute again: " in output  # the store's maintenance is at work on them


async def test_the_spool_is_counted_while_it_is_in_use(tmp_path: Path) -> None:
    spool = Spool(tmp_path / SPOOL_FILE, 1 << 20)
    await spool.open()
    await spool.put([Reading("d", "m", NOW, 1.0)] * 3, [])

    output = await run("spool", "--data-dir", str(tmp_path))

    assert "1 batches, 3 rows" in output
    assert "0 batches" in await run("spool", "--data-dir", str(tmp_path / "none"))
    await spool.close()


def test_a_command_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["partitions", "--data-dir", str(tmp_path / "none")])

    assert result.exit_code == 1
    assert "there is no embedded database in" in str(result.exception)
    assert not (tmp_path / "none").exists()


async def test_advice_is_given_for_a_server_without_fsync(database_url: str) -> None:
    output = await run("vacuum-advice", "--database-url", database_url)

    assert "Switch fsync on" in output


async def test_a_range_is_exported_as_csv(store: Store, database_url: str, tmp_path: Path) -> None:
    await store.write([Reading("d", "m", NOW + number, number / 4, "Cel") for number in range(25_000)])
    target = tmp_path / "range.csv"

    output = await run("export", "d", "m", "-o", str(target), "--database-url", database_url)

    rows = list(csv.reader(target.read_text().splitlines()))
    assert "25,000 readings" in output
    assert rows[0] == ["device", "metric", "time", "value", "unit"]
    assert [row[3] for row in rows[1:]] == [str(number / 4) for number in range(25_000)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", rows[1][2])


FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1")
HARMLESS = ("on", "", "1=1", " -", "a@b", "'=1")


async def test_an_export_holds_no_formula_unless_it_is_raw(store: Store, database_url: str, tmp_path: Path) -> None:
    """A spreadsheet would run what a device sent."""
    texts = (*FORMULAS, *HARMLESS)
    await store.write([Reading("=d", "@m", NOW + at, text, "-u") for at, text in enumerate(texts)])
    await store.write([Reading("=d", "@m", NOW + 1_000, -1.5, "-u")])
    export = ("export", "=d", "@m", "--database-url", database_url)

    await run(*export, "-o", str(tmp_path / "safe.csv"))
    await run(*export, "-o", str(tmp_path / "raw.csv"), "--raw")

    def cells(name: str) -> list[list[str]]:
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))[1:]

    safe = cells("safe.csv")
    assert {("'=d", "'@m", "'-u")} == {(row[0], row[1], row[4]) for row in safe}
    assert [*(f"'{text}" for text in FORMULAS), *HARMLESS, "-1.5"] == [row[3] for row in safe]
    assert [("=d", "@m", text, "-u") for text in (*texts, "-1.5")] == [
        (row[0], row[1], row[3], row[4]) for row in cells("raw.csv")
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_an_export_goes_to_the_standard_output(store: Store, database_url: str, kind: str) -> None:
    await store.write([Reading("d", "m", NOW + at, float(at), "Cel") for at in range(12_000)])
    command = [child_process.program("telemetry-hub"), "db", "export", "d", "m", "-o", "-", "--format", kind]

    process = await asyncio.create_subprocess_exec(
        *command, "--database-url", database_url, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()

    assert process.returncode == 0
    if kind == "csv":
        rows = list(csv.reader(output.decode().splitlines()))
        assert [str(float(at)) for at in range(12_000)] == [row[3] for row in rows[1:]]
    else:
        assert (b"PAR1", b"PAR1") == (output[:4], output[-4:])


async def test_an_export_ends_quietly_when_nobody_reads_on(store: Store, database_url: str) -> None:
    await store.write([Reading("d", "m", NOW + at, float(at), "Cel") for at in range(40_000)])
    command = f"{child_process.program('telemetry-hub')} db export d m -o - --database-url '{database_url}' | head -2"

    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()

    assert 2 == len(output.splitlines())
    assert b"" == errors


async def test_a_range_is_exported_as_parquet(store: Store, database_url: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    await store.write([Reading("d", "m", NOW, 1.5), Reading("d", "m", NOW + 1, "off")])
    target = tmp_path / "range.parquet"

    await run("export", "d", "m", "-o", str(target), "--format", "parquet", "--database-url", database_url)

    table = parquet.read_table(target).to_pydict()
    assert table["value"] == [1.5, None]
    assert table["text"] == [None, "off"]
    assert [int(moment.timestamp() * 1_000_000) for moment in table["time"]] == [NOW, NOW + 1]


async def test_a_mended_payload_is_stored_and_leaves_the_quarantine(
    store: Store, database_url: str, sql: RawConnection
) -> None:
    await store.quarantine(QuarantinedPayload("devices/d/telemetry", b'{"temperature": 21.5}', "no_route", NOW))
    await store.quarantine(QuarantinedPayload("devices/d/telemetry", b"{", "decode", NOW + 1, "not JSON"))
    listed = await run("quarantine", "list", "--database-url", database_url, "--reason", "no_route")
    identity = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", listed)
    assert identity is not None
    assert "21.5" in await run("quarantine", "show", identity[0], "--database-url", database_url)

    output = await run("quarantine", "retry", "--database-url", database_url)

    assert "1 payloads gave 1 readings, 1 refused" in output
    assert await sql.fetchval("SELECT count(*) FROM quarantine") == 1
    row = await sql.fetchrow("SELECT value, (extract(epoch FROM ts) * 1000000)::int8 AS at FROM readings")
    assert row is not None
    assert (row["value"], row["at"]) == (21.5, NOW)
    assert "0 payloads gave 0 readings, 1 refused" in await run("quarantine", "retry", "--database-url", database_url)


CBOR = bytes.fromhex("a16b74656d7065726174757265f94d60")  # {"temperature": 21.5}
MISTAKEN = '[[telemetry.routes]]\nfilter = "devices/+/telemetry"\ndecoder = "senml"\n'
MENDED = MISTAKEN.replace("senml", "json")


@pytest.mark.parametrize("bridged", [True, False], ids=["bridge", "direct"])
async def test_a_retry_decodes_by_the_content_type_as_the_first_time(
    store: Store, database_url: str, sql: RawConnection, tmp_path: Path, bridged: bool
) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(MISTAKEN)
    routes = routes_of(load_settings(config, {}).settings.telemetry)
    broker = Broker(BrokerLimits(), "e", time.monotonic, lambda: None, lambda _: None)
    pipeline = Pipeline(routes, store, Audience(broker))
    done = pipeline.accept("devices/d/telemetry", CBOR, "application/cbor", NOW, bridged=bridged)
    assert done is not None
    await done
    place = ("--config", str(config), "--database-url", database_url)
    assert "0 payloads gave 0 readings, 1 refused" in await run("quarantine", "retry", *place)
    assert "application/cbor" in await run("quarantine", "list", *place)

    config.write_text(MENDED)
    output = await run("quarantine", "retry", *place)

    assert "1 payloads gave 1 readings, 0 refused" in output
    row = await sql.fetchrow("SELECT value, (extract(epoch FROM ts) * 1000000)::int8 AS at FROM readings")
    assert tuple(row or ()) == (21.5, NOW)


async def test_a_reading_that_the_storage_refused_is_offered_again(
    store: Store, database_url: str, sql: RawConnection
) -> None:
    await sql.execute("ALTER TABLE readings ADD CONSTRAINT tame CHECK (value < 1000)")
    await store.write([Reading("d", "m", NOW, 5000.0, "V"), Reading("d", "m", NOW + 1, 1.0, "V")])

    assert "0 payloads gave 0 readings, 1 refused" in await run("quarantine", "retry", "--database-url", database_url)
    assert await sql.fetchval("SELECT count(*) FROM quarantine") == 1
    await sql.execute("ALTER TABLE readings DROP CONSTRAINT tame")
    assert "1 payloads gave 1 readings, 0 refused" in await run("quarantine", "retry", "--database-url", database_url)
    assert [5000.0, 1.0] == [row["value"] for row in await sql.fetch("SELECT value FROM readings ORDER BY ts")]
    assert await sql.fetchval("SELECT count(*) FROM quarantine") == 0


async def test_a_birth_in_quarantine_helps_the_data_that_came_after_it(
    store: Store, database_url: str, sql: RawConnection
) -> None:
    """Payloads are taken in the order of receipt by one pipeline; what came before the birth stays."""
    node = "spBv1.0/g/{}/n"
    await store.quarantine(QuarantinedPayload(node.format("NDATA"), NDATA, "needs_rebirth", NOW + 2))
    await store.quarantine(QuarantinedPayload(node.format("NBIRTH"), NBIRTH, "no_route", NOW + 1))
    await store.quarantine(QuarantinedPayload(node.format("NDATA"), NDATA, "needs_rebirth", NOW))

    output = await run("quarantine", "retry", "--database-url", database_url)

    assert "2 payloads gave 2 readings, 1 refused" in output
    assert [12.1, 12.3] == [row["value"] for row in await sql.fetch("SELECT value FROM readings ORDER BY ts")]
    assert NOW == await sql.fetchval("SELECT (extract(epoch FROM ts) * 1000000)::int8 FROM quarantine")


async def test_what_a_wrong_clock_of_the_hub_refused_is_mended_and_what_a_devices_did_is_not(
    store: Store, database_url: str, sql: RawConnection
) -> None:
    """The hub was 200 days behind when it refused the first; the second device's clock was a day ahead."""
    body, day_us = json.dumps({"ts": NOW // 1000, "a": 1}).encode(), 86_400_000_000
    await store.quarantine(QuarantinedPayload("devices/d/telemetry", body, "hub_clock", NOW - 200 * day_us))
    await store.quarantine(QuarantinedPayload("devices/e/telemetry", body, "clock", NOW - day_us))
    expired = refused_reading(Reading("f", "m", NOW, 2.5), "expired", "", NOW)
    await store.quarantine(expired)

    output = await run("quarantine", "retry", "--database-url", database_url)

    assert "2 payloads gave 2 readings, 1 refused" in output
    rows = await sql.fetch("SELECT value, (extract(epoch FROM ts) * 1000000)::int8 AS at FROM readings ORDER BY value")
    assert [(1.0, NOW // 1000 * 1000), (2.5, NOW)] == [tuple(row) for row in rows]


async def test_the_embedded_database_is_shared_with_a_running_hub_and_started_without_one(tmp_path: Path) -> None:
    hub = Store(StorageSettings(), tmp_path)
    await hub.start()
    await hub.write([Reading("d", "m", NOW, 1.0)])
    await wait_until(lambda: hub.counters.rows_stored, 30)

    assert "readings_" in await run("partitions", "--data-dir", str(tmp_path))
    await hub.close()
    assert "readings_" in await run("partitions", "--data-dir", str(tmp_path))


async def test_tables_come_as_json_too(store: Store, database_url: str, tmp_path: Path) -> None:
    await store.write([Reading("d", "m", NOW, 1.0)])
    await store.quarantine(QuarantinedPayload("devices/ü", b"{", "decode", NOW, "why"))
    database = ("--database-url", database_url, "--json")

    async def answer(*arguments: str) -> Any:
        return json.loads((await run(*arguments)).splitlines()[-1])  # the store of this test may log before

    partitions = await answer("partitions", *database)
    leaf = next(one for one in partitions["leaves"] if one["table"] == "readings")
    assert leaf["from"] < leaf["to"]
    assert leaf["bytes"] > 0
    assert (await answer("vacuum-advice", *database)).keys() == {"advice"}
    (refused,) = await answer("quarantine", "list", *database)
    assert ("devices/ü", "decode", 1, "why") == tuple(refused[key] for key in ("topic", "reason", "bytes", "detail"))
    assert refused["id"] in await run("quarantine", "list", *database[:2])
    spool = await answer("spool", "--data-dir", str(tmp_path / "none"), "--json")
    assert (0, 0, None) == (spool["batches"], spool["rows"], spool["oldest"])
