"""Topics of firmwares are known without configuration, and settings come before them."""

import pytest

from hub.telemetry.routes import Routes, RouteSettings


@pytest.mark.parametrize(
    ("topic", "decoder", "device", "rest"),
    [
        ("spBv1.0/Plant 1/DDATA/node/dev", "sparkplug", None, "Plant 1/DDATA/node/dev"),
        ("STATE/scada", "sparkplug", None, "scada"),
        ("application/17c8/device/0101010101010101/event/up", "chirpstack", "0101010101010101", "event/up"),
        ("v3/app1@tenant1/devices/dev1/up", "ttn", "dev1", "up"),
        ("homie/5/super-car/engine/temperature", "homie", None, "5/super-car/engine/temperature"),
        ("zigbee2mqtt/living/climate", "zigbee2mqtt", None, "living/climate"),
        ("tele/t1/SENSOR", "tasmota", "t1", "SENSOR"),
        ("t1/tele/SENSOR", "tasmota", "t1", "SENSOR"),
        ("/shelly02/events/rpc", "shelly", "/shelly02", "events/rpc"),
        ("home/kitchen/status/switch:0", "shelly", "home/kitchen", "status/switch:0"),
        ("livingroom/sensor/uptime/state", "esphome", "livingroom", "sensor/uptime/state"),
    ],
)
def test_a_firmwares_topic_finds_its_decoder_over_a_bridge_and_directly(
    topic: str, decoder: str, device: str | None, rest: str
) -> None:
    for bridged in (False, True):
        route = Routes().find(topic, bridged=bridged)

        assert route is not None
        assert (route.decoder, route.origin.rest) == (decoder, rest)
        assert route.origin.device == (device or topic)
        assert route.origin.device_in_route == (device is not None)


def test_a_route_of_the_settings_comes_first() -> None:
    route = Routes([RouteSettings(filter="tele/#", device_level=1)]).find("tele/t1/SENSOR")

    assert route is not None
    assert route.decoder == "json"


def test_other_topics_are_decoded_by_content_where_they_come_over_a_bridge() -> None:
    over_bridge = Routes().find("anything/else", bridged=True)

    assert over_bridge is not None
    assert (over_bridge.decoder, over_bridge.origin.device_in_route) == ("content", False)
    assert Routes().find("anything/else") is None
    assert Routes(by_content="all").find("anything/else") is not None
    assert Routes(by_content="off").find("anything/else", bridged=True) is None
