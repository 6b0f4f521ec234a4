"""Edge nodes through the pipeline: the example of device-formats section 5.4, and what becomes of each metric."""

import pytest

from storage.device_state import DeviceState
from tests.support.sparkplug import (
    ALL,
    ALL_READINGS,
    BIRTH_MS,
    BIRTH_US,
    DEVICE,
    NDATA,
    NODE,
    EdgeNodes,
    metric,
    payload,
)
from tests.support.telemetry import NOW_US


async def test_the_five_messages_give_the_readings_and_states_of_their_table() -> None:
    nodes = EdgeNodes()

    for kind, body in ALL:
        nodes.send(kind, body)

    assert ALL_READINGS == nodes.readings
    death_us = NOW_US + len(ALL) - 1
    assert [
        DeviceState(NODE, True, "online", NOW_US),
        DeviceState(DEVICE, True, "online", NOW_US + 1),
        DeviceState(NODE, False, "stale", death_us),
        DeviceState(DEVICE, False, "stale", death_us),
    ] == nodes.states
    assert ([], 0) == (nodes.bench.reasons, nodes.rebirths)


async def test_what_is_historical_is_stored_and_not_shown() -> None:
    nodes = EdgeNodes("/topic/readings/#")

    for kind, body in ALL:
        nodes.send(kind, body)

    shown = [body for destination, body in nodes.bench.broker.published if "Temperature" in destination]
    assert 2 == len(shown)
    assert not any(b'"v":-9' in body for body in shown)
    series = nodes.bench.pipeline.last.series(DEVICE, "Outdoor/Temperature")
    assert series.last is not None
    assert -11.0 == series.last.value


async def test_time_is_the_metrics_else_the_payloads_else_that_of_receipt() -> None:
    nodes = EdgeNodes()
    own = metric("own", None, 3, int_value=1, timestamp=BIRTH_MS - 5)
    boot = metric("boot", None, 3, int_value=1, timestamp=61_000)
    none = metric("none", None, 3, int_value=1)

    nodes.birth(own, boot, none)
    nodes.send("NDATA", payload(metric("none", int_value=2), seq=1, timestamp=None))

    assert [BIRTH_US - 5_000, BIRTH_US, BIRTH_US, NOW_US + 1] == [reading.time_us for reading in nodes.readings]
    assert 1 == nodes.bench.pipeline.counters.readings_without_time


async def test_a_clock_that_stands_still_since_the_birth_does_not_make_repeats_of_all_values() -> None:
    """Tahu's Python module takes its default timestamp once, at import."""
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1, timestamp=BIRTH_MS - 9_000))

    for second in (1, 2):
        at = BIRTH_MS + 1_000 * second
        nodes.send(
            "NDATA", payload(metric(alias=1, int_value=second, timestamp=BIRTH_MS - 9_000), seq=second, timestamp=at)
        )

    assert [BIRTH_US - 9_000_000, BIRTH_US + 1_000_000, BIRTH_US + 2_000_000] == [r.time_us for r in nodes.readings]


async def test_what_is_transient_is_shown_and_not_stored() -> None:
    nodes = EdgeNodes("/topic/readings/#")
    nodes.birth(metric("a", 1, 3, int_value=1))

    nodes.send("NDATA", payload(metric(alias=1, int_value=2, is_transient=True), seq=1, timestamp=BIRTH_MS + 1))

    assert [1.0] == [reading.value for reading in nodes.readings]
    assert 2 == len(nodes.bench.broker.published)


async def test_null_is_no_value_and_a_missing_value_is_a_fault() -> None:
    nodes = EdgeNodes()

    nodes.birth(
        metric("null", 1, 3, is_null=True), metric("missing", 2, 3), metric("nan", 3, 10, double_value=float("nan"))
    )

    assert [] == nodes.readings
    assert 2 == nodes.bench.pipeline.counters.skipped["no_value"]
    assert ["bad_value"] == nodes.bench.reasons


async def test_what_is_no_measurement_is_counted() -> None:
    nodes = EdgeNodes()

    nodes.birth(
        metric("Device Control/Reboot", 1, 11, boolean_value=False),
        metric("Properties/Hardware", 2, 12, string_value="Pi"),
        metric("octets", 4, 17, bytes_value=b"x"),
        metric("file", 5, 18, bytes_value=b"x"),
        metric("row", 7, 24, bytes_value=b"\1\0\0\0"),
    )

    assert [] == nodes.readings
    assert {
        "metadata": 4,
        "binary": 2,
        "array": 1,
    } == nodes.bench.pipeline.counters.skipped
    assert [] == nodes.bench.reasons


@pytest.mark.parametrize("quality", [(0, "quality_bad"), (500, "quality_stale"), (192, "")])
async def test_quality_is_counted_and_the_reading_kept(quality: tuple[int, str]) -> None:
    nodes = EdgeNodes()
    properties = {"keys": ["Quality"], "values": [{"type": 3, "int_value": quality[0]}]}

    nodes.birth(metric("a", 1, 3, int_value=1, properties=properties))

    assert [1.0] == [reading.value for reading in nodes.readings]
    assert (1 if quality[1] else 0) == nodes.bench.pipeline.counters.skipped.get(quality[1], 0)


async def test_units_are_normalised_and_one_that_cannot_be_is_left_out() -> None:
    nodes = EdgeNodes()

    nodes.birth(
        metric("a", 1, 3, int_value=1, properties={"keys": ["engUnit"], "values": [{"string_value": "°C"}]}),
        metric("b", 2, 3, int_value=1, properties={"keys": ["engUnit"], "values": [{"string_value": "x" * 40}]}),
    )

    assert ["Cel", ""] == [reading.unit for reading in nodes.readings]
    assert ["bad_unit"] == nodes.bench.reasons


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (metric(None, 1, 3, int_value=1), "bad_metric"),
        (metric("a\n", 1, 3, int_value=1), "bad_metric"),
        (metric("a", 1, None, int_value=1), "bad_datatype"),
        (metric("a", 1, 20, int_value=1), "bad_datatype"),
        (metric("a", 1, 3, float_value=1), "bad_value"),
        (metric("a", 1, 12, string_value="x\0"), "bad_text"),
    ],
)
async def test_one_bad_metric_does_not_cost_the_others(bad: dict[str, object], reason: str) -> None:
    nodes = EdgeNodes()

    nodes.birth(bad, metric("good", 9, 3, int_value=1))

    assert ["good"] == [reading.metric for reading in nodes.readings]
    assert [reason] == nodes.bench.reasons


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("spBv1.0/g/NCMD/n", "command"),
        ("spBv1.0/g/DCMD/n/d", "command"),
        ("spBv1.0/STATE/scada", "host_state"),
        ("STATE/scada", "host_state"),
    ],
)
async def test_commands_and_hosts_are_no_readings(topic: str, kind: str) -> None:
    nodes = EdgeNodes()

    nodes.bench.accept(b'{"online":true,"timestamp":1486144502122}', topic, retained=True)

    assert {kind: 1} == nodes.bench.pipeline.counters.skipped
    assert ([], []) == (nodes.readings, nodes.bench.reasons)


@pytest.mark.parametrize(
    "topic", ["spBv1.0/g", "spBv1.0/g/NDATA/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/g/NFOO/n", "spBv1.0//NDATA/n"]
)
async def test_other_topics_are_refused(topic: str) -> None:
    nodes = EdgeNodes()

    nodes.bench.accept(NDATA, topic)

    assert ["unknown_topic"] == nodes.bench.reasons


@pytest.mark.parametrize("topic", [f"spBv1.0/g/NDATA/{'n' * 300}", f"spBv1.0/g/DDATA/n/{'d' * 300}"])
async def test_names_that_cannot_be_stored_are_not_remembered(topic: str) -> None:
    nodes = EdgeNodes()

    nodes.bench.accept(NDATA, topic)

    assert ["bad_device"] == nodes.bench.reasons


async def test_state_before_version_3_is_known_by_its_text() -> None:
    nodes = EdgeNodes()

    nodes.bench.accept(b"ONLINE", "STATE/scada", retained=True)
    nodes.bench.accept(b"21.5", "STATE/of-something-else")
    # Read once, however long: an expression that goes back takes minutes.
    nodes.bench.accept(b"{" + b'"online"' * 100_000, "STATE/of-something-else")

    assert ["unknown_topic", "unknown_topic"] == nodes.bench.reasons


async def test_levels_before_the_namespace_lead_the_command_back() -> None:
    from hub.telemetry.routes import RouteSettings
    from tests.support.telemetry import Bench

    bench = Bench(routes=[RouteSettings(filter="site/spBv1.0/#", decoder="sparkplug")])

    bench.accept(NDATA, "site/spBv1.0/g/NDATA/n")

    assert ["/topic/site/spBv1.0/g/NCMD/n"] == [topic for topic, _ in bench.commands]


async def test_arrays_become_readings_where_the_route_asks_for_them() -> None:
    from hub.telemetry.routes import RouteSettings
    from tests.support.telemetry import Bench

    bench = Bench(routes=[RouteSettings(filter="spBv1.0/#", decoder="sparkplug", arrays=True)])
    nodes = EdgeNodes(bench=bench)

    nodes.birth(metric("a", 1, 23, bytes_value=b"\1\0\xff\xff"), metric("b", 2, 33, bytes_value=b"x"))

    assert [("a.0", 1.0), ("a.1", -1.0)] == [reading[1:4:2] for reading in nodes.readings]
    assert ["bad_value"] == bench.reasons
