"""Routes."""

import pytest
from pydantic import ValidationError

from hub.telemetry.origin import RouteError
from hub.telemetry.routes import ByContent, Routes, RouteSettings
from hub.topics.names import TopicError


def test_the_default_route_takes_the_device_from_the_plus() -> None:
    route = Routes().find("devices/press-7/telemetry")

    assert route is not None
    assert route.origin.device == "press-7"
    assert route.decoder == "json"


@pytest.mark.parametrize("topic", ["devices/press-7", "devices/press-7/telemetry/x", "x/press-7/telemetry", "$SYS/a"])
def test_other_topics_have_no_route(topic: str) -> None:
    assert Routes().find(topic) is None


@pytest.mark.parametrize(
    ("topic", "wins"),
    [("a/b/c", "a/b/c"), ("a/x/c", "a/+/c"), ("a/b/x", "a/b/#"), ("a/x/y", "a/#"), ("z/b/c", "+/b/c"), ("z", "#")],
)
def test_the_most_specific_filter_wins_whatever_the_order(topic: str, wins: str) -> None:
    filters = ["#", "a/#", "+/b/c", "a/b/#", "a/+/c", "a/b/c"]
    for order in (filters, filters[::-1]):
        route = Routes([RouteSettings(filter=text) for text in order]).find(topic)

        assert route is not None
        assert route.name == wins


def test_between_equal_filters_the_first_wins() -> None:
    routes = Routes([RouteSettings(filter="a/+", device_level=0), RouteSettings(filter="a/+", device_level=1)])

    route = routes.find("a/b")

    assert route is not None
    assert route.origin.device == "a"


def test_several_device_levels_are_joined_by_dots() -> None:
    routes = Routes([RouteSettings(filter="plant/+/line/+/#", device_level=(3, 1))])

    for topic, device in (("plant/7/line/a/t", "a.7"), ("plant/7/line/a", "a.7")):
        route = routes.find(topic)

        assert route is not None
        assert route.origin.device == device
        assert route.origin.device_in_route


def test_without_a_plus_the_whole_topic_is_the_device() -> None:
    route = Routes([RouteSettings(filter="plant/#")]).find("plant/a/b")

    assert route is not None
    assert route.origin.device == "plant/a/b"
    assert not route.origin.device_in_route


def test_a_topic_shorter_than_the_device_level_is_its_own_device() -> None:
    """`a/#` matches `a` as well."""
    route = Routes([RouteSettings(filter="a/#", device_level=1)]).find("a")

    assert route is not None
    assert route.origin.device == "a"


def test_an_unknown_decoder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RouteError, match=r"no decoder 'jsno'; known are .*json"):
        Routes([RouteSettings(filter="a", decoder="jsno")])


def test_a_device_level_beyond_the_filter_is_refused() -> None:
    for level in (3, (0, 3)):
        with pytest.raises(RouteError, match="device_level 3 is beyond"):
            Routes([RouteSettings(filter="a/+", device_level=level)])


def test_a_malformed_filter_is_refused() -> None:
    with pytest.raises(TopicError):
        Routes([RouteSettings(filter="a/#/b")])


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        RouteSettings.model_validate({"filter": "a", "colour": "red"})


@pytest.mark.parametrize("topic", ["$SYS/bridge/telemetry-bridge", "$SYS/broker/uptime", "$"])
@pytest.mark.parametrize("by_content", ["bridged", "all"])
def test_what_brokers_and_bridges_say_of_themselves_is_no_telemetry(topic: str, by_content: ByContent) -> None:
    assert Routes(by_content=by_content).find(topic, bridged=True) is None
    assert Routes(by_content=by_content).find("plant/7", bridged=True) is not None
