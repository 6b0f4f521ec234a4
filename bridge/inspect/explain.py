"""`telemetry-bridge explain TOPIC`: what becomes of a message on a topic, or why nothing does."""

from typing import NamedTuple

from bridge.errors import CommandTopicError, UnsendableTopicError
from bridge.hub.frames import Destinations
from bridge.mqtt.filters import matching
from bridge.settings import BridgeSettings
from hub.topics.bridging import filter_needed

_HEADERS = (
    "content-length, always; retained:true for what the broker kept; with MQTT 5 content-type and the user properties"
)


class Explanation(NamedTuple):
    """The lines, and whether the message goes up."""

    goes_up: bool
    lines: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n".join(f"{name:12} {text}" for name, text in self.lines)


def explain(settings: BridgeSettings, topic: str) -> Explanation:
    """Explain a topic by the settings in force; nothing is connected."""
    taken = matching(settings.filters, topic)
    if taken is None:
        why = f"none of the filters matches: {', '.join(settings.filters)}"
        if (needed := filter_needed(topic)) is not None:
            why += f"; a leading wildcard does not match topics that begin with $: add the filter {needed}"
        return Explanation(False, (("topic", topic), ("not taken", why)))
    try:
        Destinations(settings.commands)[topic.encode()]
    except CommandTopicError as error:
        dropped = f"{error.reason}; acknowledged and counted as command"
        return Explanation(False, (("topic", topic), ("filter", taken), ("dropped", dropped)))
    except UnsendableTopicError as error:
        dropped = f"{error.reason}; acknowledged and counted as unsendable"
        return Explanation(False, (("topic", topic), ("filter", taken), ("dropped", dropped)))
    lines = (
        ("topic", topic),
        ("filter", taken),
        ("destination", f"/topic/{topic}"),
        ("headers", _HEADERS),
        ("next", f"telemetry-hub explain {topic!r} says what the hub makes of it"),
    )
    return Explanation(True, lines)
