"""Filters that overlap, and the filter that takes a topic."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.mqtt.filters import contains, matching, overlap
from hub.topics.bridging import FILTER_LIMITS
from hub.topics.names import parse_filter
from hub.topics.tree import TopicTree


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "+/b", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a/b/c", False),
        ("a/+", "b/+", False),
        ("a", "a/b", False),
        ("+/x/#", "a/y/#", False),
        ("#", "$SYS/#", False),
        ("$SYS/a", "$SYS/#", True),
        ("/#", "+", False),
        ("/#", "+/+", True),
        ("/#", "+/#", True),
    ],
)
def test_overlapping_filters_are_found_both_ways(one: str, other: str, expected: bool) -> None:
    a, b = tuple(one.split("/")), tuple(other.split("/"))

    assert overlap(a, b) is expected
    assert overlap(b, a) is expected


# Every topic of up to four levels that can make a difference between filters of up to three with these.
ALPHABET = ("", "a", "$a", "z")
TOPICS = ["/".join(levels) for count in range(1, 5) for levels in product(ALPHABET, repeat=count) if levels != ("",)]
a_filter = st.builds(
    lambda levels, rest: "/".join([*levels, *(["#"] if rest else [])]),
    st.lists(st.sampled_from(["", "a", "$a", "+"]), min_size=0, max_size=3),
    st.booleans(),
).filter(bool)


@given(a_filter, a_filter)
@example("/#", "+")
@example("/#", "+/+/#")
def test_overlap_and_containment_are_what_the_topic_tree_finds(one: str, other: str) -> None:
    tree: TopicTree[str] = TopicTree()
    tree.add(one, "one")
    tree.add(other, "other")
    found = [set(tree.match(topic)) for topic in TOPICS]
    a, b = (parse_filter(text, FILTER_LIMITS) for text in (one, other))

    assert overlap(a, b) is any(match == {"one", "other"} for match in found)
    assert contains(a, b) is all(match != {"other"} for match in found)
    assert contains(b, a) is all(match != {"one"} for match in found)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("devices/a/telemetry", "devices/#"),
        ("line/3", "$share/bridges/line/+"),
        ("line/3/x", None),
        ("$SYS/broker/uptime", None),
    ],
)
def test_the_filter_that_takes_a_topic_is_found(topic: str, expected: str | None) -> None:
    assert matching(("devices/#", "$share/bridges/line/+"), topic) == expected
