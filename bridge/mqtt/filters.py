"""MQTT topic filters of one bridge: which are legal, whether two overlap or one holds another, which one takes a topic."""

from collections.abc import Sequence

from hub.topics.bridging import FILTER_LIMITS
from hub.topics.names import ONE, RESERVED, REST, SEPARATOR, TopicError, parse_filter
from hub.topics.tree import TopicTree

SHARE = "$share"


def check_filters(filters: Sequence[str]) -> None:
    """Refuse filters that are no filters, or overlap.

    Raises:
        ValueError: naming the filter.
    """
    levels = []
    for text in filters:
        try:
            levels.append(parse_filter(without_share(text), FILTER_LIMITS))
        except TopicError as error:
            raise ValueError(f"{text!r}: {error}") from None
    for index, one in enumerate(levels):
        for other in range(index):
            if overlap(one, levels[other]):
                raise ValueError(
                    f"{filters[other]!r} and {filters[index]!r} overlap: a broker sends what both match twice"
                )


def is_shared(text: str) -> bool:
    """Whether several clients share what a filter matches (MQTT 5, 4.8.2)."""
    return text.startswith(SHARE + SEPARATOR)


def without_share(text: str) -> str:
    """Return what a filter matches, without `$share/<group>/`.

    Raises:
        TopicError: a shared filter without a group or a filter.
    """
    if not is_shared(text):
        return text
    _, group, *rest = text.split(SEPARATOR, 2)
    if not group or not rest or ONE in group or REST in group:
        raise TopicError(f"a shared filter is {SHARE}/<group>/<filter>")
    return rest[0]


def overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether some topic matches both filters, given as levels."""
    if (one[0] in {ONE, REST} and other[0][:1] == RESERVED) or (other[0] in {ONE, REST} and one[0][:1] == RESERVED):
        return False  # a leading wildcard does not match those (MQTT 3.1.1, 4.7.2)
    one, other = _spelled_out(one), _spelled_out(other)
    for index in range(max(len(one), len(other))):
        a = one[index] if index < len(one) else None
        b = other[index] if index < len(other) else None
        if REST in {a, b}:
            return True
        if a is None or b is None or (a != b and ONE not in {a, b}):
            return False
    return True


def contains(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Return whether every topic that matches `inner` matches `outer`, given as levels."""
    if outer[0] in {ONE, REST} and inner[0][:1] == RESERVED:
        return False
    if tuple(outer) == (ONE, REST):
        return True  # every topic has a first level
    outer, inner = _spelled_out(outer), _spelled_out(inner)
    for index, level in enumerate(outer):
        if level == REST:
            return True
        if index == len(inner) or inner[index] == REST or level not in {ONE, inner[index]}:
            return False
    return len(inner) == len(outer)


def _spelled_out(levels: Sequence[str]) -> Sequence[str]:
    """Return `/+/#` for `/#`: the parent that `#` takes as well would be the empty topic, which is none."""
    return ("", ONE, REST) if tuple(levels) == ("", REST) else levels


def matching(filters: Sequence[str], topic: str) -> str | None:
    """Return the filter that takes a topic; None when none does."""
    tree: TopicTree[str] = TopicTree(FILTER_LIMITS)
    for text in filters:
        tree.add(without_share(text), text)
    return next(iter(tree.match(topic)), None)
