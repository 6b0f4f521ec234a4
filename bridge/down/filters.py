"""Which topics are commands: what is refused among the filters that are set.

A topic that matches a command filter goes down only, and never up: what the bridge publishes on the broker would come back
to it otherwise (docs/decisions/commands.md). Two filters that overlap in part are fine: the first of those that match owns
a topic (commands.py). One that lies wholly in another would never own anything, nor would an up filter ever bring
anything that lies wholly in a command filter: both are mistakes, and refused.
"""

from collections.abc import Sequence
from typing import Final

from bridge.mqtt.filters import contains, without_share
from hub.topics.bridging import FILTER_LIMITS, RESERVED_LEVELS
from hub.topics.names import RESERVED, TopicError, parse_filter

# One SUBSCRIBE each, of the 128 subscriptions of a hub's connection.
MAX_FILTERS: Final = 100


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
    if levels[0][:1] == RESERVED or levels[0] in RESERVED_LEVELS:
        raise ValueError(f"{text!r}: nobody can send there but the hub itself")
    return levels
