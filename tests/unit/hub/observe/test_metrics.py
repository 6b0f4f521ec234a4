"""The table of metrics."""

import re
from pathlib import Path

from prometheus_client import generate_latest

from hub.observe.metrics import Row, build_registry, pipeline_rows, store_rows
from hub.telemetry.counters import PipelineCounters
from storage.settings import StorageSettings
from storage.store import Store


def exposed(rows: list[Row]) -> str:
    return generate_latest(build_registry(rows)).decode()


def test_the_pipelines_counters_are_shown_by_reason() -> None:
    counters = PipelineCounters(messages=5, readings=15)
    counters.refuse("devices/a/telemetry", "clock")

    text = exposed(list(pipeline_rows(counters)))

    assert "\nhub_readings_received_total 15.0\n" in text
    assert '\nhub_readings_rejected_total{reason="clock"} 1.0\n' in text
    assert '\nhub_payloads_quarantined_total{reason="clock",topic="devices/a/telemetry"} 1.0\n' in text
    assert "# TYPE hub_readings_received_total counter" in text


async def test_the_stores_counters_are_shown(tmp_path: Path) -> None:
    store = Store(StorageSettings(), tmp_path)
    store.counters.rows_stored = 7

    text = exposed(list(store_rows(store)))

    assert "\nhub_readings_stored_total 7.0\n" in text
    assert "\nhub_readings_pending 0.0\n" in text
    assert "\nhub_store_full 0.0\n" in text
    assert "# TYPE hub_readings_pending gauge" in text


def test_the_build_and_the_process_are_shown() -> None:
    text = exposed([])

    assert re.search(r'\nhub_build_info\{version="[^"]+"\} 1\.0\n', text)
    assert "process_cpu_seconds_total" in text


async def test_names_follow_the_rules(tmp_path: Path) -> None:
    store = Store(StorageSettings(), tmp_path)
    for row in (*pipeline_rows(PipelineCounters()), *store_rows(store)):
        assert row.name.startswith("hub_")
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert row.label in {"", "reason", "kind", ("topic", "reason")}
        assert row.help.endswith(".")
