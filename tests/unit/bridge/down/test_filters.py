"""Which topics are commands by default, and which settings of them are refused."""

import pytest

from bridge.down.commands import Commands
from bridge.down.filters import check_commands
from bridge.settings import BridgeSettings, load_settings
from hub.errors import SettingsError
from hub.settings.limits import Limits
from hub.topics.bridging import DEFAULT_COMMANDS


@pytest.mark.parametrize(
    "topic",
    [
        "devices/press-7/commands",
        "cmnd/tasmota_12AB/POWER",
        "shellyplus1-a8032abe54dc/rpc",
        "zigbee2mqtt/lamp/set",
        "zigbee2mqtt/lamp/set/state",
        "zigbee2mqtt/lamp/get",
        "livingroom/switch/relay/command",
        "livingroom/climate/ac/mode/command",
        "homie/super-car/lights/power/set",
        "homie/5/super-car/lights/power/set",
        "spBv1.0/plant/NCMD/edge-1",
        "spBv1.0/plant/DCMD/edge-1/pump",
        "application/17c82e96/device/0101010101010101/command/down",
        "v3/app@tenant/devices/dev1/down/push",
        "v3/app@tenant/devices/dev1/down/replace",
    ],
)
def test_the_defaults_know_the_firmwares_commands(topic: str) -> None:
    assert Commands(DEFAULT_COMMANDS, 100).is_command(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "devices/press-7/telemetry",
        "tele/tasmota_12AB/SENSOR",
        "stat/tasmota_12AB/RESULT",
        "shellyplus1-a8032abe54dc/events/rpc",
        "zigbee2mqtt/lamp",
        "zigbee2mqtt/lamp/availability",
        "zigbee2mqtt/bridge/devices",
        "livingroom/switch/relay/state",
        "homie/super-car/lights/power",
        "spBv1.0/plant/NDATA/edge-1",
        "spBv1.0/plant/NBIRTH/edge-1",
        "application/17c82e96/device/0101010101010101/event/up",
        "v3/app@tenant/devices/dev1/up",
        "v3/app@tenant/devices/dev1/down/ack",
    ],
)
def test_the_defaults_leave_telemetry_alone(topic: str) -> None:
    assert not Commands(DEFAULT_COMMANDS, 100).is_command(topic)


def test_the_hub_takes_the_defaults_with_its_own_limits() -> None:
    limits = Limits()

    assert len(DEFAULT_COMMANDS) < limits.subscriptions
    assert all(text.count("+") <= limits.filter_wildcards for text in DEFAULT_COMMANDS)


def test_filters_are_compared_with_the_default_commands_too() -> None:
    with pytest.raises(SettingsError, match=r"commands.*would bring nothing"):
        load_settings(None, {"filters": ["zigbee2mqtt/lamp/set"]})


def test_an_up_filter_that_overlaps_commands_in_part_is_fine() -> None:
    settings = BridgeSettings(filters=("#",))

    assert settings.commands == DEFAULT_COMMANDS


@pytest.mark.parametrize(
    ("commands", "filters", "text"),
    [
        (("a/+", "a/b"), ("#",), "'a/b' lies in 'a/[+]'"),
        (("a/+", "a/+"), ("#",), "one of them is enough"),
        (("a/#",), ("a/b/+",), "the filter 'a/b/[+]' lies in 'a/#'"),
        (("a/#",), ("$share/group/a",), "it would bring nothing"),
        (("$SYS/+",), ("#",), "nobody can send there"),
        (("readings/+/set",), ("#",), "nobody can send there"),
        (("a/#/b",), ("#",), "# is only allowed as the last level"),
    ],
)
def test_what_could_never_do_anything_is_refused(
    commands: tuple[str, ...], filters: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        check_commands(commands, filters)
