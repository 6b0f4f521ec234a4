"""A hub whose clock is wrong beside a database whose clock is right: told at once, and nothing is lost or mislabelled."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from storage.engine import RawConnection
from storage.leaves import Leaves
from storage.reading import Reading
from storage.rollups import advance, take_dirty
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.ports import free_port
from tests.support.programs import faked_time
from tests.support.raw_stomp import tcp
from tests.support.waiting import wait_until

DAY_US = 86_400_000_000
CONFIG = """
[storage]
keep_readings = "P30D"
maintenance_every_s = 0.2
"""


@contextmanager
def wrong_hub(directory: Path, database_url: str, shift: str) -> Iterator[tuple[str, int]]:
    """Run a hub whose clock is shifted; yield its HTTP address and its STOMP port."""
    config = directory / "hub.toml"
    config.write_text(CONFIG)
    command = [child_process.program("telemetry-hub"), "serve", "--config", str(config), "--port", "0"]
    command += ["--database-url", database_url, "--data-dir", str(directory / "data"), "--stomp-port", str(free_port())]
    with Supervisor(directory / "logs") as supervisor:
        hub = supervisor.start("hub", faked_time(shift, command))
        http, *_, stomp = hub.wait_ready(30)
        yield http, urlsplit(stomp).port or 0


def ready(http: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{http}/readyz", timeout=5) as answer:
            return dict(json.load(answer)["checks"]["storage"])
    except urllib.error.HTTPError as error:
        return dict(json.load(error)["checks"]["storage"])


def read_metrics(http: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{http}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("hub_"))


def send(port: int, *bodies: dict[str, object]) -> None:
    """Send payloads of a device; each is durable afterwards."""
    with tcp(port) as device:
        device.connect()
        for body in bodies:
            device.send(f"SEND\ndestination:/topic/devices/d/telemetry\nreceipt:r\n\n{json.dumps(body)}^@")
            device.expect("RECEIPT")


async def history(sql: RawConnection, database_url: str, directory: Path) -> int:
    """Store 25 days of readings, rolled up; return their number."""
    store = Store(StorageSettings(database_url=database_url), directory)
    await store.start()
    now_us = time.time_ns() // 1000
    await store.write([Reading("old", "m", now_us - hours * DAY_US // 24, 1.0) for hours in range(25 * 24)])
    await store.close()
    await advance(sql, Leaves(DAY_US), 30.0)
    await take_dirty(sql, Leaves(DAY_US))
    return 25 * 24


@pytest.mark.parametrize(("shift", "side"), [("+200d", "ahead of"), ("-200d", "behind"), ("+5m", "ahead of")])
async def test_it_is_told_and_nothing_is_dropped_refused_or_stored_at_a_wrong_time(
    database_url: str, sql: RawConnection, tmp_path: Path, shift: str, side: str
) -> None:
    count = await history(sql, database_url, tmp_path / "before")
    before_us = time.time_ns() // 1000
    with wrong_hub(tmp_path, database_url, shift) as (http, port):
        await wait_until(lambda: side in str(ready(http)["detail"]), 20)
        send(port, {"without": 1}, {"ts": before_us // 1000, "with": 2})
        state = ready(http)
        metrics = read_metrics(http)
        log = (tmp_path / "logs" / "hub.log").read_text()

    assert not state["ok"]
    assert f"{side} the database's" in str(state["detail"])
    assert abs(abs(float(metrics["hub_clock_offset_seconds"])) - {"d": 17_280_000, "m": 300}[shift[-1]]) < 5
    assert "clocks_disagree" in log
    assert count + 2 == await sql.fetchval("SELECT count(*) FROM readings")
    assert 0 == await sql.fetchval("SELECT count(*) FROM quarantine")
    at_us = await sql.fetchval(
        "SELECT (extract(epoch FROM ts) * 1000000)::int8 FROM readings JOIN series ON series.id = series_id"
        " WHERE metric = 'without'"
    )
    assert before_us - 1_000_000 < at_us < time.time_ns() // 1000 + 1_000_000


async def test_a_clock_that_is_right_is_not_told_of(database_url: str, tmp_path: Path) -> None:
    with wrong_hub(tmp_path, database_url, "+1") as (http, _):
        await wait_until(lambda: ready(http)["ok"], 20)

        assert abs(float(ready(http)["clock_offset_s"]) + 1) < 0.5
