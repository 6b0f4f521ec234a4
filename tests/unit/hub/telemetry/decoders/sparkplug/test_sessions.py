"""From the birth of a node to its death: what is known of it, in whatever order messages come, and asked for."""

from itertools import permutations

import pytest

from hub.telemetry.decoders.sparkplug import schema
from storage.device_state import DeviceState
from tests.support.sparkplug import (
    ALL,
    ALL_READINGS,
    BIRTH_MS,
    DBIRTH,
    DDATA,
    DEVICE,
    NBIRTH,
    NDATA,
    REBIRTH_TOPIC,
    EdgeNodes,
    metric,
    payload,
)
from tests.support.telemetry import NOW_US


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

    assert ALL_READINGS[:4] == nodes.readings
    assert ["needs_rebirth"] == nodes.bench.reasons


@pytest.mark.parametrize("order", list(permutations(ALL[:4])))
async def test_whatever_the_order_no_reading_is_wrong_and_none_is_lost_silently(
    order: tuple[tuple[str, bytes], ...],
) -> None:
    nodes = EdgeNodes()

    for kind, body in order:
        nodes.send(kind, body)

    assert set(nodes.readings) <= set(ALL_READINGS)
    if len(nodes.readings) < len(ALL_READINGS):
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


async def test_a_type_that_cannot_be_of_the_metric_under_the_alias_is_named_and_no_rebirth_is_asked_for() -> None:
    nodes = EdgeNodes()
    nodes.birth(metric("a", 1, 3, int_value=1), metric("text", 2, 12, string_value="x"))

    nodes.send(
        "NDATA",
        payload(metric(alias=1, datatype=10, double_value=2.0), metric(alias=2, datatype=14, string_value="y"), seq=1),
    )

    assert ["bad_datatype"] == nodes.bench.reasons
    assert "'a' was born Int32 and is sent as Double" == nodes.bench.store.quarantined[0].detail
    assert ["x", "y"] == [reading.value for reading in nodes.readings if reading.metric == "text"]
    assert 0 == nodes.rebirths


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

    for _ in range(3 * 24 * 60):
        nodes.wait(60)
        nodes.birth()
        nodes.send("NDATA", payload(metric("stranger", int_value=1), seq=1))

    assert 3 == nodes.rebirths


async def test_a_node_that_was_born_anew_is_asked_when_messages_are_missing() -> None:
    nodes = EdgeNodes()
    nodes.birth()
    nodes.send("NDATA", payload(metric("stranger", int_value=1), seq=1))
    nodes.birth()

    nodes.send("NDATA", payload(metric("stranger", int_value=1), seq=1))
    assert 1 == nodes.rebirths
    nodes.send("NDATA", payload(seq=5))
    nodes.wait(60)
    nodes.send("NDATA", payload(seq=6))

    assert 2 == nodes.rebirths


async def test_a_death_may_name_its_session_by_the_alias_of_the_birth() -> None:
    nodes = EdgeNodes()
    nodes.send("NBIRTH", payload(metric("bdSeq", 7, 8, long_value=3), metric("a", 1, 3, int_value=1), seq=0))

    nodes.send("NDEATH", payload(metric(alias=7, long_value=2)))
    assert {"metadata": 1, "old_will": 1} == nodes.bench.pipeline.counters.skipped
    nodes.send("NDATA", payload(metric(alias=7, long_value=3), metric(alias=1, int_value=2), seq=1))
    assert [1.0, 2.0] == [reading.value for reading in nodes.readings]
    nodes.send("NDEATH", payload(metric(alias=7, long_value=3)))

    assert "stale" == nodes.bench.store.states[-1].state
    assert [] == nodes.bench.reasons


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
