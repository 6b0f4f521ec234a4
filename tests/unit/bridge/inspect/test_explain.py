"""What is said of a topic."""

import pytest

from bridge.errors import UnsendableTopicError
from bridge.hub.frames import Destinations
from bridge.inspect.explain import explain
from bridge.settings import BridgeSettings
from hub.commands.explain_offline import explain_topic
from hub.errors import HubError
from hub.settings.model import HubSettings, routes_of


@pytest.mark.parametrize(
    ("topic", "goes_up", "says"),
    [
        ("devices/a/b", True, "/topic/devices/a/b"),
        ("devices/a/commands", False, "commands go from the hub to the broker"),
        ("other", False, "none of the filters matches: devices/#"),
        ("$SYS/broker/uptime", False, "a leading wildcard does not match"),
        ("devices/" + "x/" * 70, False, "64 levels"),
    ],
)
def test_a_topic_goes_up_or_the_reason_is_given(topic: str, goes_up: bool, says: str) -> None:
    explanation = explain(BridgeSettings(filters=("devices/#",)), topic)

    assert (explanation.goes_up, says in str(explanation)) == (goes_up, True)


def test_what_only_the_hub_may_publish_is_dropped_whatever_the_filters() -> None:
    explanation = explain(BridgeSettings(), "readings/a/b")

    assert not explanation.goes_up
    assert "only the hub publishes" in str(explanation)


@pytest.mark.parametrize(
    "topic",
    [
        "readings",
        "readings/a/b",
        "$SYS",
        "$SYS/broker/uptime",
        "cmnd/plug/POWER",
        "devices/a/commands",
        "devices/a/telemetry",
        "readingsroom/a/b",
        "x/" * 70,
    ],
)
def test_bridge_and_both_explain_commands_agree(topic: str) -> None:
    settings = BridgeSettings(filters=("#", "$SYS/#"))
    said_here = explain(settings, topic).goes_up
    try:
        said_there = (
            explain_topic(routes_of(HubSettings().telemetry), topic, bridged=True).get("outcome") != "not carried"
        )
    except HubError:
        said_there = False
    try:
        done = bool(Destinations(settings.commands)[topic.encode()])
    except UnsendableTopicError:
        done = False

    assert said_here == said_there == done
