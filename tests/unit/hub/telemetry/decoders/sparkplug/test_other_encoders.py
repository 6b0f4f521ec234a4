"""Our decoder reads what Eclipse Tahu's own Python encoder writes (PyPI sparkplug-b-packets carries it).

The schema, the wire forms and the packing of arrays are theirs here; only the expectation is ours.
"""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sparkplub_b_packets.core import sparkplug_b as tahu

from hub.telemetry.decoders.sparkplug import schema, values
from hub.telemetry.routes import RouteSettings
from tests.support.sparkplug import EdgeNodes
from tests.support.telemetry import Bench

TIME_MS = 1_486_144_502_122


def signed(bits: int) -> st.SearchStrategy[int]:
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return st.sampled_from([lowest, -1, 0, highest]) | st.integers(lowest, highest)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.sampled_from([0, (1 << bits) - 1]) | st.integers(0, (1 << bits) - 1)


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SCALARS: dict[int, st.SearchStrategy[values.Scalar]] = {
    1: signed(8),
    2: signed(16),
    3: signed(32),
    4: signed(64),
    5: unsigned(8),
    6: unsigned(16),
    7: unsigned(32),
    8: unsigned(64),
    9: FLOATS,
    10: st.floats(allow_nan=False, allow_infinity=False),
    11: st.booleans(),
    12: TEXTS,
    13: st.integers(0, 2**63 - 1),
    14: TEXTS,
    15: TEXTS,
}


def same(sent: values.Scalar, read: values.Scalar) -> bool:
    """Numbers are compared as the field held them: a float in 32 bit."""
    if isinstance(sent, float) and isinstance(read, float):
        return math.isclose(sent, read, rel_tol=1e-7, abs_tol=1e-45)
    return sent == read and type(sent) is type(read)


@pytest.mark.parametrize("datatype", SCALARS)
def test_each_type_comes_back(datatype: int) -> None:
    @settings(max_examples=40)
    @given(SCALARS[datatype])
    def check(value: values.Scalar) -> None:
        sent = tahu.sparkplug_b_pb2.Payload()
        tahu.addMetric(sent, "name", 7, datatype, value, TIME_MS)

        [metric] = schema.parse(sent.SerializeToString()).metrics

        assert ("name", 7, datatype, TIME_MS) == (metric.name, metric.alias, metric.datatype, metric.timestamp_ms)
        assert metric.field is not None
        read = values.scalar(datatype, metric.field, metric.value)
        assert same(value, read)
        if datatype == 9:
            assert isinstance(read, float)
            assert struct.pack("<f", value) == struct.pack("<f", read)

    check()


@pytest.mark.parametrize(
    ("datatype", "packer", "elements"),
    [
        (22, "int8", [-128, 0, 127]),
        (23, "int16", [-32768, 32767]),
        (24, "int32", [-(2**31), 2**31 - 1]),
        (25, "int64", [-(2**63), 2**63 - 1]),
        (26, "uint8", [0, 255]),
        (27, "uint16", [0, 65535]),
        (28, "uint32", [0, 2**32 - 1]),
        (29, "uint64", [0, 2**64 - 1]),
        (30, "float", [12.1, -0.5]),
        (31, "double", [0.1, 1e300]),
        (34, "datetime", [TIME_MS]),
    ],
)
def test_each_array_comes_back(datatype: int, packer: str, elements: list[values.Scalar]) -> None:
    """Without truth values and texts: the module packs bits and texts unlike the specification (see test_values)."""
    packed = getattr(tahu, f"convert_to_packed_{packer}_array")(elements)

    assert elements == values.elements(datatype, bytes(packed))


def test_data_sets_templates_and_null_are_seen_as_such() -> None:
    sent = tahu.sparkplug_b_pb2.Payload()
    tahu.initDatasetMetric(sent, "set", 1, ["a"], [3])
    tahu.initTemplateMetric(sent, "template", 2, None)
    tahu.addNullMetric(sent, "null", 3, tahu.MetricDataType.Int32)

    first, second, third = schema.parse(sent.SerializeToString()).metrics

    assert ("dataset_value", 16) == (first.field, first.datatype)
    assert ("template_value", 19) == (second.field, second.datatype)
    assert (True, None) == (third.is_null, third.field)


async def test_a_session_of_tahus_comes_out_as_it_went_in() -> None:
    bench = Bench(routes=[RouteSettings(filter="spBv1.0/#", decoder="sparkplug")])
    nodes = EdgeNodes(bench=bench)
    death = tahu.getNodeDeathPayload()
    birth = tahu.getNodeBirthPayload()
    nodes.now_us = birth.timestamp * 1_000
    tahu.addMetric(birth, "Node Control/Rebirth", None, tahu.MetricDataType.Boolean, False)
    tahu.addMetric(birth, "level", 1, tahu.MetricDataType.Int16, -10)
    nodes.send("NBIRTH", birth.SerializeToString())
    device = tahu.getDeviceBirthPayload()
    tahu.addMetric(device, "Inputs/A", 2, tahu.MetricDataType.Boolean, False)
    nodes.send("DBIRTH", device.SerializeToString())
    data = tahu.getDdataPayload()
    data.timestamp += 1_000
    # Without a time of its own: the module's clock stands since its import.
    tahu.addMetric(data, None, 2, tahu.MetricDataType.Boolean, True)
    nodes.send("DDATA", data.SerializeToString())
    nodes.send("NDEATH", death.SerializeToString())

    assert [("level", -10.0), ("Inputs/A", False), ("Inputs/A", True)] == [r[1:4:2] for r in nodes.readings]
    assert nodes.readings[2].time_us == data.timestamp * 1_000
    assert [True, True, False, False] == [state.online for state in nodes.states]
    assert ([], 0) == (bench.reasons, nodes.rebirths)


def test_tahu_understands_our_request_for_a_rebirth() -> None:
    command = tahu.sparkplug_b_pb2.Payload.FromString(schema.rebirth_command(TIME_MS * 1_000))

    [metric] = command.metrics
    assert ("Node Control/Rebirth", tahu.MetricDataType.Boolean) == (metric.name, metric.datatype)
    assert metric.boolean_value
    assert not command.HasField("seq")
    assert TIME_MS == command.timestamp
