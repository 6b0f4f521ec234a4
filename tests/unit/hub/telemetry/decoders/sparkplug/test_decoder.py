"""Edge nodes through the pipeline: the example of device-formats section 5.4, the rules of 5.3, and what must not happen."""

import contextlib
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.telemetry.decoders.memory import Memory
from hub.telemetry.decoders.sparkplug import Sparkplug, schema
from hub.telemetry.decoders.sparkplug.node import Node
from hub.telemetry.errors import PayloadError
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.device_state import DeviceState
from storage.reading import Reading
from tests.support.sparkplug import (
    ALL,
    BIRTH_MS,
    DBIRTH,
    DDATA,
    DEVICE,
    NBIRTH,
    NDATA,
    NODE,
    REBIRTH_TOPIC,
    EdgeNodes,
    metric,
    payload,
)
from tests.support.telemetry import NOW_US

BIRTH_US = BIRTH_MS * 1_000
EXPECTED = [
    Reading(NODE, "Supply Voltage", BIRTH_US, 12.1),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US, -10.0, "Cel"),
    Reading(DEVICE, "Inputs/A", BIRTH_US, False),
    Reading(NODE, "Supply Voltage", BIRTH_US + 60_000_000, 12.3),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US + 60_500_000, -11.0, "Cel"),
    Reading(DEVICE, "Inputs/A", BIRTH_US + 61_000_000, True),
    Reading(DEVICE, "Outdoor/Temperature", BIRTH_US + 1_000_000, -9.0, "Cel"),
]


async def test_the_five_messages_give_the_readings_and_states_of_their_table() -> None:
    nodes = EdgeNodes()

    for kind, body in ALL:
        nodes.send(kind, body)

    assert EXPECTED == nodes.readings
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


async def test_data_before_the_birth_is_quarantined_and_one_rebirth_is_asked_for() -> None:
    nodes = EdgeNodes()

    nodes.send("NDATA", NDATA)
    nodes.send("NDATA", NDATA)

    assert ["needs_rebirth", "needs_rebirth"] == nodes.bench.reasons
    [(topic, command)] = nodes.bench.commands
    assert REBIRTH_TOPIC == topic
    sent = schema.parse(command)
    assert (None, NOW_US // 1_000) == (sent.seq, sent.timestamp_ms)
    [asked] = sent.metrics
    assert ("Node Control/Rebirth", 11, "boolean_value", True) == (asked.name, asked.datatype, asked.field, asked.value)


async def test_device_data_before_the_birth_of_the_device_likewise() -> None:
    nodes = EdgeNodes()

    nodes.send("NBIRTH", NBIRTH)
    nodes.send("DDATA", DDATA)

    assert ["needs_rebirth"] == nodes.bench.reasons
    assert 1 == nodes.rebirths


async def test_the_birth_that_was_asked_for_heals() -> None:
    nodes = EdgeNodes()

    nodes.send("NDATA", NDATA)
    nodes.send("NBIRTH", NBIRTH)
    nodes.send("DBIRTH", DBIRTH)
    nodes.send("NDATA", NDATA)

    assert EXPECTED[:4] == nodes.readings
    assert ["needs_rebirth"] == nodes.bench.reasons


@pytest.mark.parametrize("order", list(permutations(ALL[:4])))
async def test_whatever_the_order_no_reading_is_wrong_and_none_is_lost_silently(
    order: tuple[tuple[str, bytes], ...],
) -> None:
    nodes = EdgeNodes()

    for kind, body in order:
        nodes.send(kind, body)

    assert set(nodes.readings) <= set(EXPECTED)
    if len(nodes.readings) < len(EXPECTED):
        assert set(nodes.bench.reasons) == {"needs_rebirth"}
        assert nodes.rebirths == 1


async def test_messages_that_overtake_each_other_for_less_than_a_second_are_no_gap() -> None:
    nodes = EdgeNodes()
    nodes.send("NBIRTH", NBIRTH)
    nodes.send("DBIRTH", DBIRTH)

    nodes.send("DDATA", DDATA)
    nodes.wait(0.9)
    nodes.send("NDATA", NDATA)
    nodes.wait(60)
    nodes.send("NDATA", payload(metric(alias=1, float_value=1.0), seq=4))

    assert 0 == nodes.rebirths
    assert 8 == len(nodes.readings)


async def test_a_gap_that_lasts_longer_than_a_second_asks_for_one_rebirth_and_data_go_on() -> None:
    nodes = EdgeNodes()
    nodes.send("NBIRTH", NBIRTH)
    nodes.send("DBIRTH", DBIRTH)

    nodes.send("DDATA", DDATA)
    for seq in range(4, 8):
        nodes.wait(1)
        nodes.send("NDATA", payload(metric(alias=1, float_value=seq), seq=seq, timestamp=BIRTH_MS + seq))

    assert 1 == nodes.rebirths
    assert [] == nodes.bench.reasons
    assert [4.0, 5.0, 6.0, 7.0] == [reading.value for reading in nodes.readings[-4:]]


async def test_the_counter_runs_round() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=0))

    for seq in range(1, 600):
        nodes.wait(1)
        nodes.send("NDATA", payload(metric(alias=1, int_value=seq), seq=seq % 256, timestamp=BIRTH_MS + seq))

    assert 0 == nodes.rebirths
    assert 600 == len(nodes.readings)


async def test_what_a_broker_delivers_again_is_no_gap() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=0))

    for seq in [*range(1, 40), *range(10, 50)]:
        nodes.wait(0.5)
        nodes.send("NDATA", payload(metric(alias=1, int_value=seq), seq=seq, timestamp=BIRTH_MS + seq))

    assert 0 == nodes.rebirths


async def test_a_birth_that_does_not_begin_at_0_is_taken_and_counted_on_from() -> None:
    nodes = EdgeNodes()

    nodes.birth(metric("a", 1, 3, int_value=5), seq=17)
    nodes.send("NDATA", payload(metric(alias=1, int_value=6), seq=18, timestamp=BIRTH_MS + 1))
    nodes.wait(2)
    nodes.send("NDATA", payload(metric(alias=1, int_value=7), seq=19, timestamp=BIRTH_MS + 2))

    assert [5.0, 6.0, 7.0] == [reading.value for reading in nodes.readings]
    assert 0 == nodes.rebirths


async def test_an_alias_means_what_the_last_birth_says() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("pressure", 1, 3, int_value=1), metric("old", 2, 3, int_value=1))

    nodes.birth(metric("temperature", 1, 3, int_value=2), bd_seq=1)
    nodes.send(
        "NDATA", payload(metric(alias=1, int_value=3), metric(alias=2, int_value=4), seq=1, timestamp=BIRTH_MS + 1)
    )

    assert ("temperature", 3.0) == nodes.readings[-1][1:4:2]
    assert ["needs_rebirth"] == nodes.bench.reasons
    assert "alias 2" in nodes.bench.store.quarantined[0].detail


async def test_an_alias_that_another_device_takes_is_no_longer_the_first_ones() -> None:
    nodes = EdgeNodes()
    nodes.birth()
    nodes.send("DBIRTH", payload(metric("a", 1, 3, int_value=1), seq=1), device="one")
    nodes.send("DBIRTH", payload(metric("b", 1, 3, int_value=2), seq=2), device="two")

    nodes.send("DDATA", payload(metric(alias=1, int_value=3), seq=3), device="one")
    nodes.send("DDATA", payload(metric(alias=1, int_value=4), seq=4, timestamp=BIRTH_MS + 1), device="two")

    assert [("a", 1.0), ("b", 2.0), ("b", 4.0)] == [reading[1:4:2] for reading in nodes.readings]
    assert ["needs_rebirth"] == nodes.bench.reasons


async def test_a_type_that_cannot_be_of_the_metric_under_the_alias_asks_for_a_rebirth() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1), metric("text", 2, 12, string_value="x"))

    nodes.send(
        "NDATA",
        payload(metric(alias=1, datatype=10, double_value=2.0), metric(alias=2, datatype=14, string_value="y"), seq=1),
    )

    assert ["needs_rebirth"] == nodes.bench.reasons
    assert ["x", "y"] == [reading.value for reading in nodes.readings if reading.metric == "text"]
    assert 1 == nodes.rebirths


async def test_an_unknown_name_asks_for_a_rebirth_and_does_not_cost_the_others() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", None, 3, int_value=1))

    nodes.send(
        "NDATA", payload(metric("b", None, 3, int_value=2), metric("a", int_value=3, timestamp=BIRTH_MS + 1), seq=1)
    )

    assert [1.0, 3.0] == [reading.value for reading in nodes.readings]
    assert ["needs_rebirth"] == nodes.bench.reasons
    assert 1 == nodes.rebirths


async def test_a_name_decides_beside_an_alias() -> None:
    """As pysparkplug sends them."""
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1), metric("b", 2, 3, int_value=1))

    nodes.send("NDATA", payload(metric("b", 1, int_value=2), seq=1, timestamp=BIRTH_MS + 1))

    assert ("b", 2.0) == nodes.readings[-1][1:4:2]


async def test_a_node_that_never_names_what_it_sends_is_not_asked_for_ever() -> None:
    nodes = EdgeNodes()

    for _ in range(6 * 60 * 6):
        nodes.wait(10)
        nodes.birth()
        nodes.send("NDATA", payload(metric("stranger", int_value=1), seq=1))

    assert 6 * 6 + 6 >= nodes.rebirths >= 6 * 6


async def test_a_whole_fleet_that_is_unknown_is_asked_at_a_bounded_rate() -> None:
    nodes = EdgeNodes()

    asked = []
    for _ in range(6):
        for number in range(500):
            nodes.send("NDATA", NDATA, node=f"n{number}")
        asked.append(nodes.rebirths)
        nodes.wait(1)

    assert [200, 300, 400, 500, 500, 500] == asked
    assert 500 == len({topic for topic, _ in nodes.bench.commands})


async def test_a_death_of_another_session_is_ignored() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1), bd_seq=7)

    nodes.send("NDEATH", payload(metric("bdSeq", datatype=8, long_value=6)))
    nodes.send("NDATA", payload(metric(alias=1, int_value=2), seq=1, timestamp=BIRTH_MS + 1))

    assert [True] == [state.online for state in nodes.states]
    assert 2.0 == nodes.readings[-1].value
    assert 1 == nodes.bench.pipeline.counters.skipped["old_will"]


async def test_after_its_death_a_node_is_unknown_until_it_is_born_again() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1), bd_seq=7)

    nodes.send("NDEATH", payload(metric("bdSeq", datatype=4, long_value=7)))
    nodes.send("NDATA", payload(metric(alias=1, int_value=2), seq=1))

    assert ["needs_rebirth"] == nodes.bench.reasons
    assert 1 == nodes.rebirths


async def test_a_device_that_died_needs_its_birth_and_leaves_the_others_alone() -> None:
    nodes = EdgeNodes()
    nodes.birth()
    nodes.send("DBIRTH", payload(metric("a", 1, 3, int_value=1), seq=1), device="one")
    nodes.send("DBIRTH", payload(metric("a", 2, 3, int_value=1), seq=2), device="two")

    nodes.send("DDEATH", payload(seq=3), device="one")
    nodes.send("DDATA", payload(metric(alias=1, int_value=2), seq=4), device="one")
    nodes.send("DDATA", payload(metric(alias=2, int_value=3), seq=5, timestamp=BIRTH_MS + 1), device="two")

    assert ("Sparkplug B Devices/Raspberry Pi/one", False) == nodes.states[-1][:2]
    assert ["needs_rebirth"] == nodes.bench.reasons
    assert 3.0 == nodes.readings[-1].value


async def test_devices_are_stale_from_a_birth_of_the_node_to_their_own() -> None:
    nodes = EdgeNodes()
    nodes.send("NBIRTH", NBIRTH)
    nodes.send("DBIRTH", DBIRTH)

    nodes.send("NBIRTH", NBIRTH)
    between = nodes.states[-1]
    nodes.send("DDATA", DDATA)
    nodes.send("DBIRTH", DBIRTH)

    assert DeviceState(DEVICE, False, "stale", NOW_US + 2) == between
    assert DeviceState(DEVICE, True, "online", NOW_US + 4) == nodes.states[-1]
    assert ["needs_rebirth"] == nodes.bench.reasons


async def test_nodes_of_one_name_in_two_groups_are_two() -> None:
    nodes = EdgeNodes()
    nodes.send("NBIRTH", payload(metric("a", 1, 3, int_value=1), seq=0), group="g1", node="n")
    nodes.send("NBIRTH", payload(metric("b", 1, 3, int_value=1), seq=0), group="g2", node="n")

    nodes.send("NDATA", payload(metric(alias=1, int_value=2), seq=1, timestamp=BIRTH_MS + 1), group="g1", node="n")

    assert ("g1/n", "a", 2.0) == (nodes.readings[-1].device, nodes.readings[-1].metric, nodes.readings[-1].value)


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
        metric("set", 3, 16, dataset_value=b""),
        metric("octets", 4, 17, bytes_value=b"x"),
        metric("file", 5, 18, bytes_value=b"x"),
        metric("template", 6, 19, template_value=b""),
        metric("row", 7, 24, bytes_value=b"\1\0\0\0"),
    )

    assert [] == nodes.readings
    assert {
        "metadata": 4,
        "dataset": 1,
        "binary": 2,
        "template": 1,
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
        (metric("a", 1, 12, string_value="x\0"), "bad_value"),
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


def decoder_of(max_nodes: int = 3, max_metrics: int = 5) -> tuple[Sparkplug, Memory[Node]]:
    decoder = Sparkplug(max_nodes, max_metrics)
    return decoder, decoder.nodes


def say(decoder: Sparkplug, topic: str, body: bytes, now_us: int = NOW_US) -> tuple[list[Reading], Notes]:
    notes = Notes()
    return decoder(body, Origin(topic, topic, device_in_route=False), now_us, notes), notes


def test_a_birth_larger_than_the_memory_gives_its_readings_and_says_what_was_left_out() -> None:
    decoder, nodes = decoder_of()

    readings, notes = say(
        decoder, "spBv1.0/g/NBIRTH/n", payload(*(metric(f"m{i}", i, 3, int_value=i) for i in range(9)), seq=0)
    )
    _, later = say(decoder, "spBv1.0/g/NDATA/n", payload(metric(alias=8, int_value=1), seq=1))

    assert 9 == len(readings)
    assert ["too_many_metrics"] == [reason for reason, _ in notes.faults]
    assert ["needs_rebirth"] == [reason for reason, _ in later.faults]
    assert 5 >= nodes.parts


def test_a_node_that_fills_the_memory_can_be_born_again() -> None:
    decoder, nodes = decoder_of()
    birth = payload(*(metric(f"m{i}", i, 3, int_value=i) for i in range(4)), seq=0)

    for _ in range(2):
        _, notes = say(decoder, "spBv1.0/g/NBIRTH/n", birth)

        assert [] == notes.faults
        assert 5 == nodes.parts


def test_strangers_cannot_push_out_a_node_at_work_and_are_not_asked() -> None:
    decoder, nodes = decoder_of()
    for name in "abc":
        say(decoder, f"spBv1.0/g/NBIRTH/{name}", payload(seq=0))

    _, notes = say(decoder, "spBv1.0/g/NDATA/stranger", NDATA)

    assert 3 == len(nodes)
    assert (["needs_rebirth"], []) == ([reason for reason, _ in notes.faults], notes.commands)


def test_a_node_that_was_silent_for_an_hour_gives_way() -> None:
    decoder, nodes = decoder_of()
    for name in "abc":
        say(decoder, f"spBv1.0/g/NBIRTH/{name}", payload(seq=0))

    _, notes = say(decoder, "spBv1.0/g/NDATA/d", NDATA, NOW_US + 3_600_000_000)

    assert 3 == len(nodes)
    assert 1 == len(notes.commands)


@pytest.mark.parametrize(("kind", "body"), ALL)
def test_truncated_anywhere_a_message_gives_readings_or_a_payload_error(kind: str, body: bytes) -> None:
    path = f"{kind}/n/d" if kind[0] == "D" else f"{kind}/n"
    for end in range(len(body)):
        decoder, _ = decoder_of()
        say(decoder, "spBv1.0/g/NBIRTH/n", NBIRTH)
        with contextlib.suppress(PayloadError):
            say(decoder, f"spBv1.0/g/{path}", body[:end])


@given(st.sampled_from(["NBIRTH", "DBIRTH/d", "NDATA", "DDATA/d", "NDEATH", "DDEATH/d"]), st.binary(max_size=200))
def test_only_payload_errors_escape_from_any_octets(kind: str, body: bytes) -> None:
    decoder, _ = decoder_of()
    what, _, device = kind.partition("/")
    with contextlib.suppress(PayloadError):
        say(decoder, f"spBv1.0/g/{what}/n" + (f"/{device}" if device else ""), body)


METRICS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "bdSeq", "", "x" * 300]),
        "alias": st.integers(0, 3),
        "timestamp": st.integers(0, 2**64 - 1),
        "datatype": st.integers(0, 40),
        "is_historical": st.booleans(),
        "is_transient": st.booleans(),
        "is_null": st.booleans(),
        "int_value": st.integers(0, 2**32 - 1),
        "bytes_value": st.binary(max_size=12),
        "string_value": st.text(max_size=5),
        "double_value": st.floats(),
    },
)
MESSAGES = st.tuples(
    st.sampled_from(["NBIRTH/n", "DBIRTH/n/d", "DBIRTH/n/e", "NDATA/n", "DDATA/n/d", "NDEATH/n", "DDEATH/n/d"]),
    st.lists(METRICS, max_size=4),
    st.none() | st.integers(0, 300),
    st.none() | st.integers(0, 2**64 - 1),
    st.booleans(),
)


@settings(max_examples=200)
@given(st.lists(MESSAGES, max_size=12))
def test_whatever_comes_in_whatever_order_memory_stays_bounded_and_counted(
    messages: list[tuple[str, list[dict[str, object]], int | None, int | None, bool]],
) -> None:
    decoder, nodes = decoder_of()
    now_us = NOW_US
    for path, metrics, seq, timestamp, arrays in messages:
        now_us += 400_000
        kind, _, rest = path.partition("/")
        topic = f"spBv1.0/g/{kind}/{rest}"
        with contextlib.suppress(PayloadError):
            decoder(
                payload(*metrics, seq=seq, timestamp=timestamp), Origin(topic, topic, arrays=arrays), now_us, Notes()
            )

    held = sum(1 + len(metrics) for metrics in nodes.heard("g/n", now_us).devices.values())
    assert held == nodes.parts
    assert nodes.parts <= 5 + 3  # an empty device costs one, even where there is no room
