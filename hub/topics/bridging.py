"""What a bridge carries up from MQTT: one decision for the bridge itself and for both `explain` commands.

Not its filters (those are the bridge's settings), but what no filter brings up: what only the hub publishes, and commands,
which go down only: what the bridge publishes on the broker would come back to it otherwise (docs/decisions/commands.md).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from hub.topics.names import RESERVED, SEPARATOR, FilterLimits, TopicError, validate_topic
from hub.topics.tree import TopicTree

RESERVED_LEVELS: Final = frozenset({"$SYS", "readings"})
FILTER_LIMITS: Final = FilterLimits(levels=128, wildcards=128)

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


class NotCarried(NamedTuple):
    """Why a topic is not carried up."""

    command: bool
    """It goes down."""
    reason: str


class Carried:
    """The decision, for a bridge's command filters."""

    def __init__(self, commands: Sequence[str] = DEFAULT_COMMANDS) -> None:
        self._commands: TopicTree[str] = TopicTree(FILTER_LIMITS)
        for text in commands:
            self._commands.add(text, text)

    def refusal(self, topic: str) -> NotCarried | None:
        """Return why a topic is not carried; None when it is."""
        try:
            validate_topic(topic)
        except TopicError as error:
            return NotCarried(False, str(error))
        if is_reserved(topic):
            return NotCarried(False, "only the hub publishes below $SYS/ and readings/")
        command = next(iter(self._commands.match(topic)), None)
        if command is not None:
            text = f"it matches the command filter {command!r}: commands go from the hub to the broker, never back"
            return NotCarried(True, text)
        return None


def is_reserved(topic: str) -> bool:
    """Whether only the hub publishes there; the names themselves are, too, as `readings/#` matches `readings`."""
    return topic.partition(SEPARATOR)[0] in RESERVED_LEVELS


def filter_needed(topic: str) -> str | None:
    """Return the filter that a bridge needs for a topic that `#` does not match (MQTT 3.1.1, 4.7.2); None when it does."""
    return f"{topic.partition(SEPARATOR)[0]}/#" if topic.startswith(RESERVED) else None
