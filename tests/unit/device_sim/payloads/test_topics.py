"""Where formats may publish: what the hub's rows say."""

import pytest

from device_sim.payloads.format import Format
from device_sim.payloads.registry import FORMATS
from device_sim.payloads.topics import takes
from hub.telemetry.decoders import DECODERS


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_the_default_topic_of_a_format_is_one_that_the_hub_reads_as_it(form: Format) -> None:
    assert takes(form, form.topic)
    assert not form.decoder or form.decoder in DECODERS


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("json", "tele/{device}/SENSOR"),
        ("json", "plant/{device}/events/rpc"),
        ("json", "$SYS/{device}"),
        ("json", "plant/+/{device}"),
        ("json", "plant/press"),
        ("scalar", "homie/{device}/{metric}"),
        ("scalar", "plant/{device}"),
        ("tasmota", "plant/{device}/SENSOR"),
        ("zigbee2mqtt", "homie/{device}"),
    ],
)
def test_a_topic_of_another_format_is_none(name: str, topic: str) -> None:
    assert not takes(FORMATS[name], topic)  # type: ignore[index]  # names of the registry


@pytest.mark.parametrize(
    ("name", "topic"),
    [("json", "plant/{device}/data"), ("scalar", "a/b/{device}/{metric}"), ("homie", "homie/5/{device}/{metric}")],
)
def test_a_topic_that_nobody_else_has_is_free(name: str, topic: str) -> None:
    assert takes(FORMATS[name], topic)  # type: ignore[index]  # names of the registry
