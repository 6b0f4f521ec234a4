"""`telemetry-hub db delete` and `db rename` beside a running hub: its memory follows, and what it stores afterwards."""

import asyncio
from pathlib import Path

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner, Result

from hub.commands.db import app
from storage.engine import RawConnection
from tests.integration.hub.test_replay_last import connected, replayed
from tests.support.hub import RunningHub
from tests.support.waiting import wait_for


def send(hub: RunningHub, device: str, body: dict[str, object]) -> None:
    with connected(hub) as stomp:
        stomp.send(f"SEND\ndestination:/topic/devices/{device}/telemetry\nreceipt:r\n\n{orjson.dumps(body).decode()}^@")
        assert stomp.frame().command == "RECEIPT"


def command(database_url: str, *arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments, "--database-url", database_url], input=answer, catch_exceptions=False)


async def names(database_url: str) -> list[tuple[str | None, float]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [
            (row["name"], row["value"])
            for row in await connection.fetch(
                "SELECT name, value FROM readings LEFT JOIN series ON series.id = series_id"
                " LEFT JOIN devices ON devices.id = device_id ORDER BY value"
            )
        ]
    finally:
        await connection.close()


def test_a_running_hub_forgets_a_deleted_device_and_stores_what_comes_later_under_a_new_series(
    tmp_path: Path, database_url: str
) -> None:
    with RunningHub(tmp_path, database_url=database_url) as hub:
        for number, device in enumerate(("gone", "kept")):
            send(hub, device, {"ts": 1_795_000_000_000, "t": number})
        assert {"gone/t": 0, "kept/t": 1} == replayed(hub, "/topic/readings/#")

        result = command(database_url, "delete", "gone", "--yes")

        assert "1 readings deleted" in result.output
        assert {"kept/t": 1} == replayed(hub, "/topic/readings/#")
        send(hub, "gone", {"ts": 1_795_000_001_000, "t": 7})
        assert {"gone/t": 7, "kept/t": 1} == replayed(hub, "/topic/readings/#")

    assert [("kept", 1.0), ("gone", 7.0)] == asyncio.run(names(database_url))


def test_a_running_hub_knows_the_new_name_and_takes_the_old_one_for_another_device(
    tmp_path: Path, database_url: str
) -> None:
    with RunningHub(tmp_path, database_url=database_url) as hub:
        send(hub, "old", {"ts": 1_795_000_000_000, "t": 1})

        assert "1 series renamed" in command(database_url, "rename", "old", "new", "--yes").output
        wait_for(lambda: replayed(hub, "/topic/readings/#") == {"new/t": 1}, 10)
        send(hub, "old", {"ts": 1_795_000_001_000, "t": 2})
        assert {"old/t": 2, "new/t": 1} == replayed(hub, "/topic/readings/#")

    assert [("new", 1.0), ("old", 2.0)] == asyncio.run(names(database_url))


def test_after_a_deleted_range_the_newest_of_what_is_left_is_replayed(tmp_path: Path, database_url: str) -> None:
    with RunningHub(tmp_path, database_url=database_url) as hub:
        for number in range(3):
            send(hub, "d", {"time": f"2026-11-20T10:00:0{number}Z", "t": number})

        result = command(database_url, "delete", "d", "t", "--from", "2026-11-20T10:00:02", "--yes")

        assert "1 readings deleted" in result.output
        wait_for(lambda: replayed(hub, "/topic/readings/#") == {"d/t": 1}, 10)

    assert [("d", 0.0), ("d", 1.0)] == asyncio.run(names(database_url))


@pytest.mark.parametrize(("arguments", "answer", "status"), [(["--dry-run"], "", 0), ([], "n\n", 1), ([], "", 1)])
async def test_nothing_is_changed_without_consent(
    database_url: str, sql: RawConnection, arguments: list[str], answer: str, status: int
) -> None:
    await sql.execute("INSERT INTO devices (name) VALUES ('d')")

    for change in (["delete", "d"], ["rename", "d", "e"]):
        result = await asyncio.to_thread(command, database_url, *change, *arguments, answer=answer)

        assert result.exit_code == status
        assert "d: 0 series, 0 numbers, 0 texts" in result.output or "d to e: 0 series" in result.output
    assert 1 == await sql.fetchval("SELECT count(*) FROM devices WHERE name = 'd'")
    assert 0 == await sql.fetchval("SELECT count(*) FROM name_changes")
