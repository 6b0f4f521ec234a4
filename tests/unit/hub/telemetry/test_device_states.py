"""Device states: the newest counts, repeats are no news, memory is bounded."""

import orjson
import pytest

import hub.telemetry.device_states as device_states_module
from hub.telemetry.device_states import DeviceStates, body_of, topic_of
from storage.device_state import DeviceState
from tests.support.telemetry import NOW_US


def test_another_state_is_news_and_a_repeat_is_not() -> None:
    states = DeviceStates()

    assert states.learn(DeviceState("d", True, "online", 1))
    assert not states.learn(DeviceState("d", True, "online", 2))
    assert states.learn(DeviceState("d", False, "offline", 3))


def test_an_older_state_changes_nothing() -> None:
    states = DeviceStates()
    states.learn(DeviceState("d", True, "online", 5))

    assert not states.learn(DeviceState("d", False, "offline", 4))
    assert orjson.loads(next(states.messages(("$SYS", "#"))).body)["online"] is True


def test_a_name_is_one_level_of_the_destination() -> None:
    assert topic_of("a/b+c") == "$SYS/devices/a%2Fb%2Bc"


def test_the_body_says_since_when() -> None:
    body = orjson.loads(body_of(DeviceState("d", False, "lost", NOW_US)))

    assert body == {"device": "d", "online": False, "state": "lost", "t": "2026-11-20T16:00:00.000Z"}


def test_full_means_forget_and_learn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_states_module, "MAX_DEVICES", 3)
    states = DeviceStates()
    for number in range(10):
        states.learn(DeviceState(f"d{number}", True, "online", number))
        assert len(states) <= 3

    assert [address.text for address, *_ in states.messages(("$SYS", "devices", "+"))] == ["/topic/$SYS/devices/d9"]
