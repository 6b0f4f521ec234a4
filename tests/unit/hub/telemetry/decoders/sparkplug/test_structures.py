"""Data sets and templates, as Eclipse Tahu's encoder writes them, become metrics below their names."""

from collections.abc import Callable
from typing import Any

import pytest
from sparkplub_b_packets.core import sparkplug_b as tahu

from storage.reading import Reading
from tests.support.sparkplug import BIRTH_MS, BIRTH_US, EdgeNodes, metric, payload


def born(build: Callable[[Any], object]) -> EdgeNodes:
    """A node whose birth Tahu's encoder wrote; `build` adds metrics to its payload."""
    birth = tahu.sparkplug_b_pb2.Payload()
    birth.timestamp = BIRTH_MS
    birth.seq = 0
    build(birth)
    stamp(birth.metrics)
    nodes = EdgeNodes()
    nodes.send("NBIRTH", birth.SerializeToString())
    return nodes


def values(nodes: EdgeNodes) -> dict[str, object]:
    return {reading.metric: reading.value for reading in nodes.readings}


def stamp(metrics: Any) -> None:
    """Set the times that Tahu's encoder takes from this machine's clock."""
    for one in metrics:
        one.timestamp = BIRTH_MS
        stamp(one.template_value.metrics)


def add_table(birth: Any, rows: list[tuple[float, str]]) -> None:
    table = tahu.initDatasetMetric(birth, "batch", 4, ["temp", "state"], [10, 12])
    for temperature, state in rows:
        row = table.rows.add()
        row.elements.add().double_value = temperature
        row.elements.add().string_value = state


async def test_a_data_set_of_one_row_is_a_metric_for_each_column() -> None:
    nodes = born(lambda birth: add_table(birth, [(21.5, "run")]))

    assert values(nodes) == {"batch.temp": 21.5, "batch.state": "run"}
    assert {reading.time_us for reading in nodes.readings} == {BIRTH_US}
    assert nodes.bench.reasons == []


async def test_rows_of_a_data_set_are_numbered() -> None:
    nodes = born(lambda birth: add_table(birth, [(21.5, "run"), (22.5, "stop")]))

    assert values(nodes) == {
        "batch.0.temp": 21.5,
        "batch.0.state": "run",
        "batch.1.temp": 22.5,
        "batch.1.state": "stop",
    }


async def test_the_members_of_a_template_are_metrics_and_its_definition_is_none() -> None:
    def build(birth: Any) -> None:
        definition = tahu.initTemplateMetric(birth, "_types_/motor", None, None)
        definition.is_definition = True
        tahu.addMetric(definition, "rpm", None, 3, 0)
        motor = tahu.initTemplateMetric(birth, "motor-1", 9, "motor")
        tahu.addMetric(motor, "rpm", None, 3, -1500)
        tahu.addMetric(motor, "on", None, 11, True)
        inner = tahu.initTemplateMetric(motor, "bearing", None, "bearing")
        tahu.addMetric(inner, "temp", None, 10, 60.5)

    nodes = born(build)

    assert values(nodes) == {"motor-1/rpm": -1500.0, "motor-1/on": True, "motor-1/bearing/temp": 60.5}
    assert nodes.bench.pipeline.counters.skipped["template"] == 1


UNKNOWN_TYPE = payload(metric("x", None, 99, int_value=1), timestamp=None)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (metric("set", 3, 16, dataset_value=b"\xff"), "bad_value"),
        (metric("set", 3, 16, int_value=1), "bad_value"),
        (metric("template", 6, 19, template_value=b"\xff"), "bad_value"),
        (metric("template", 6, 19, string_value="x"), "bad_value"),
        (
            metric("template", 6, 19, template_value=payload(metric("x", None, 99, int_value=1), timestamp=None)),
            "bad_datatype",
        ),
    ],
)
async def test_a_bad_structure_is_named_and_costs_no_other_metric(bad: dict[str, object], reason: str) -> None:
    nodes = EdgeNodes()

    nodes.birth(bad, metric("good", 9, 3, int_value=1))

    assert nodes.readings == [Reading(nodes.readings[0].device, "good", BIRTH_US, 1.0)]
    assert nodes.bench.reasons == [reason]
    assert "'" + str(bad["name"]) in nodes.bench.store.quarantined[0].detail


async def test_templates_nested_without_end_are_refused() -> None:
    nested = b""
    for _ in range(40):
        nested = payload(metric("t", None, 19, template_value=nested), timestamp=None)
    nodes = EdgeNodes()

    nodes.birth(metric("t", 1, 19, template_value=nested))

    assert nodes.bench.reasons == ["too_deep"]


async def test_a_data_set_of_too_many_values_is_refused() -> None:
    rows = b"\x22\x00" * 10_001
    nodes = EdgeNodes()

    nodes.birth(metric("set", 1, 16, dataset_value=b"\x12\x01a\x1a\x01\x0a" + rows))

    assert nodes.bench.reasons == ["too_many_items"]
