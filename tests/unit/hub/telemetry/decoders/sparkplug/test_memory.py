"""What is remembered of nodes is bounded and counted, whatever comes: the decoder by itself."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.telemetry.decoders.memory import Memory
from hub.telemetry.decoders.sparkplug.decoder import Sparkplug
from hub.telemetry.decoders.sparkplug.node import Node
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from storage.reading import Reading
from tests.support.sparkplug import (
    ALL,
    NBIRTH,
    NDATA,
    metric,
    payload,
)
from tests.support.telemetry import NOW_US


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
