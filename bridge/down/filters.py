"""Which topics are commands: the filters that come down unless others are set, and what is refused among them.

A topic that matches a command filter goes down only, and never up: what the bridge publishes on the broker would come back
to it otherwise (docs/decisions/commands.md). Two filters that overlap in part are fine: the first of those that match owns
a topic (commands.py). One that lies wholly in another would never own anything, nor would an up filter ever bring
anything that lies wholly in a command filter: both are mistakes, and refused.
"""

from collections.abc import Sequence
from typing import Final

from bridge.mqtt.filters import FILTER_LIMITS, contains, without_share
from hub.broker.routing import RESERVED_TOPICS
from hub.topics.names import RESERVED, SEPARATOR, TopicError, parse_filter

# One SUBSCRIBE each, of the 128 subscriptions of a hub's connection.
MAX_FILTERS: Final = 100
_HUBS_LEVELS: Final = {prefix.rstrip(SEPARATOR) for prefix in RESERVED_TOPICS}

DEFAULT_COMMANDS: Final = (
    "+/+/commands",
    "cmnd/+/+",  # Tasmota
    "+/rpc",  # Shelly; answers come on <src>/rpc, and come up if the src that the asker gives has two levels
    "zigbee2mqtt/+/set",
    "zigbee2mqtt/+/set/+",
    "zigbee2mqtt/+/get",
    "+/+/+/command",  # ESPHome
    "+/+/+/+/command",  # ESPHome: fan speed, climate mode
    "homie/+/+/+/set",
    "homie/5/+/+/+/set",
    "spBv1.0/+/NCMD/+",
    "spBv1.0/+/DCMD/+/+",
    "application/+/device/+/command/down",  # ChirpStack
    "v3/+/devices/+/down/push",  # The Things Stack
    "v3/+/devices/+/down/replace",
)


def check_commands(commands: Sequence[str], filters: Sequence[str]) -> None:
    """Refuse command filters that are none, or useless, or make an up filter useless.

    Raises:
        ValueError: naming the filters.
    """
    levels = [_levels(text) for text in commands]
    for index, inner in enumerate(levels):
        for other, outer in enumerate(levels):
            if index != other and contains(outer, inner):
                raise ValueError(f"{commands[index]!r} lies in {commands[other]!r}: one of them is enough")
    for text in filters:
        up = parse_filter(without_share(text), FILTER_LIMITS)
        for command, outer in zip(commands, levels, strict=True):
            if contains(outer, up):
                raise ValueError(
                    f"the filter {text!r} lies in {command!r}: commands go down and never up, so it would bring nothing"
                )


def _levels(text: str) -> tuple[str, ...]:
    try:
        levels = parse_filter(text, FILTER_LIMITS)
    except TopicError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if levels[0][:1] == RESERVED or levels[0] in _HUBS_LEVELS:
        raise ValueError(f"{text!r}: nobody can send there but the hub itself")
    return levels
