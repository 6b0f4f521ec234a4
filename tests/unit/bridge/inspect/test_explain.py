"""What is said of a topic."""

import pytest

from bridge.inspect.explain import explain
from bridge.settings import BridgeSettings


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
