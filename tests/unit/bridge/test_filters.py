"""Filters that overlap, and the filter that takes a topic."""

import pytest

from bridge.filters import matching, overlap


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
    ],
)
def test_overlapping_filters_are_found_both_ways(one: str, other: str, expected: bool) -> None:
    a, b = tuple(one.split("/")), tuple(other.split("/"))

    assert overlap(a, b) is expected
    assert overlap(b, a) is expected


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
