"""Sparkplug's topics."""

import pytest

from hub.telemetry.decoders.sparkplug.topics import Address, Kind, parse
from hub.telemetry.notes import PayloadError


@pytest.mark.parametrize(
    ("topic", "address"),
    [
        ("spBv1.0/Plant 1/NBIRTH/Edge é", Address(Kind.NBIRTH, "Plant 1/Edge é")),
        ("spBv1.0/g/DDATA/n/d", Address(Kind.DDATA, "g/n", "d")),
        ("spBv1.0/g/NCMD/n", Address(Kind.NCMD, "g/n")),
        ("spBv1.0/STATE/NBIRTH/n", Address(Kind.NBIRTH, "STATE/n")),
        ("spBv1.0/STATE/host", Address(Kind.STATE, "host")),
        ("STATE/host", Address(Kind.STATE, "host")),
        ("a/b/spBv1.0/g/NDATA/n", Address(Kind.NDATA, "g/n", "", "a/b/")),
    ],
)
def test_a_topic_says_what_and_of_whom(topic: str, address: Address) -> None:
    assert address == parse(topic)


def test_a_command_goes_to_the_node_of_a_device() -> None:
    assert "a/spBv1.0/g/NCMD/n" == parse("a/spBv1.0/g/DDATA/n/d").command_topic


@pytest.mark.parametrize("topic", ["", "spBv1.0", "spBv1.0/", "spBv1.0/g/STATE/n", "g/NDATA/n", "spBv1.0/g/NDATA/"])
def test_another_topic_is_refused(topic: str) -> None:
    with pytest.raises(PayloadError, match="unknown_topic"):
        parse(topic)
