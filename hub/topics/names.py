"""Topic names and filters, as MQTT 3.1.1 section 4.7 defines them.

A topic name is what a message is published on; a filter is what a subscription names. Levels are separated by `/`, may
be empty, and are compared byte by byte: no trimming, no case folding, no Unicode normalisation.

    filter          matches                              does not match
    a/+             a/b   a/                             a   a/b/c
    a/#             a   a/b   a/b/c                      ab
    +/b             a/b   /b                             $SYS/b
    #               everything                           $SYS/...
    $SYS/#          $SYS   $SYS/hub/stats

`*` as a whole level of a filter is an alias of `+` (STOMP brokers taught people to write it); a filter can therefore not
name a level `*` literally.
"""

from typing import NamedTuple

SEPARATOR = "/"
ONE = "+"
REST = "#"
ONE_ALIAS = "*"
RESERVED = "$"


_ENCODED = str.maketrans({"%": "%25", "/": "%2F", "+": "%2B", "#": "%23"})


class TopicError(ValueError):
    """A topic name or filter that is not legal; the text says why."""


class FilterLimits(NamedTuple):
    """Bounds on a filter, against subscriptions that are costly to match."""

    levels: int = 16
    wildcards: int = 4


def validate_topic(topic: str, max_levels: int = 64) -> None:
    """Refuse what MQTT forbids in the topic of a publication.

    Raises:
        TopicError: it is empty, has a wildcard character, NUL, or more than `max_levels` levels.
    """
    if not topic:
        raise TopicError("the topic is empty")
    if ONE in topic or REST in topic:
        raise TopicError("a message cannot be published to a topic that contains + or #")
    if "\0" in topic:
        raise TopicError("the topic contains NUL")
    if topic.count(SEPARATOR) >= max_levels:
        raise TopicError(f"the topic has more than {max_levels} levels")


def parse_filter(text: str, limits: FilterLimits = FilterLimits()) -> tuple[str, ...]:
    """Split a filter into its levels, with `*` turned into `+`.

    Raises:
        TopicError: empty, a wildcard as a part of a level, `#` before the end, or beyond `limits`.
    """
    if not text:
        raise TopicError("the filter is empty")
    if "\0" in text:
        raise TopicError("the filter contains NUL")
    levels = tuple(ONE if level == ONE_ALIAS else level for level in text.split(SEPARATOR))
    if len(levels) > limits.levels:
        raise TopicError(f"the filter has {len(levels)} levels, at most {limits.levels} are allowed")
    for position, level in enumerate(levels):
        if foreign := foreign_wildcard(level):
            raise TopicError(
                f"{foreign} is no wildcard here: + stands for one level and # for the rest, levels are separated by /"
            )
        if level in {ONE, REST}:
            if level == REST and position != len(levels) - 1:
                raise TopicError("# is only allowed as the last level")
        elif ONE in level or REST in level:
            raise TopicError(f"{ONE} and {REST} must be a whole level")
    wildcards = sum(level in {ONE, REST} for level in levels)
    if wildcards > limits.wildcards:
        raise TopicError(f"the filter has {wildcards} wildcards, at most {limits.wildcards} are allowed")
    return levels


def foreign_wildcard(level: str) -> str | None:
    """Return what another broker would read as a wildcard in a level, where subscribing to it would match nothing here."""
    if level in {">", "**"}:
        return level
    if level.endswith((".>", ".#")):
        return level[-2:]
    return "* within a level" if ONE_ALIAS in level and level != ONE else None


def as_level(name: str) -> str:
    """Percent-encode a name so that it is one level of a topic."""
    return name.translate(_ENCODED)


def is_exact(levels: tuple[str, ...]) -> bool:
    """Whether the filter names one topic only."""
    return ONE not in levels and REST not in levels
