"""Topic names and filters: what is legal, by the tables of the STOMP reference (section 4) and MQTT 3.1.1 (4.7)."""

import pytest

from hub.topics.names import FilterLimits, TopicError, is_exact, parse_filter, validate_topic


@pytest.mark.parametrize(
    "topic", ["a", "/", "//", "a//b", "/leading", "trailing/", " ", "a.b.c", "*", "a/*/b", "$SYS/x", "ünï/☃", "a b"]
)
def test_a_topic_carries_any_text_but_wildcards(topic: str) -> None:
    validate_topic(topic)


@pytest.mark.parametrize("topic", ["", "+", "#", "a/+", "a/#", "a+b", "a#", "a\0b", "/".join(["x"] * 65)])
def test_a_message_is_not_published_to_a_filter_nothing_or_too_deep(topic: str) -> None:
    with pytest.raises(TopicError):
        validate_topic(topic)


def test_the_depth_of_a_topic_is_counted_in_levels() -> None:
    validate_topic("/".join("x" * 3), max_levels=3)
    with pytest.raises(TopicError, match="more than 3 levels"):
        validate_topic("/".join("x" * 4), max_levels=3)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("a", ("a",)),
        ("a/+/c", ("a", "+", "c")),
        ("a/*/c", ("a", "+", "c")),
        ("*", ("+",)),
        ("#", ("#",)),
        ("a/#", ("a", "#")),
        ("/a/", ("", "a", "")),
        ("$SYS/#", ("$SYS", "#")),
        (" a /b", (" a ", "b")),
    ],
)
def test_a_filter_is_its_levels_and_a_whole_star_is_a_plus(text: str, levels: tuple[str, ...]) -> None:
    assert levels == parse_filter(text)


@pytest.mark.parametrize("text", ["", "a+/b", "+a", "a#", "#/a", "a/#/b", "#/#/#", "a\0b", "/".join("+" * 64)])
def test_wildcards_are_whole_levels_and_the_rest_comes_last(text: str) -> None:
    with pytest.raises(TopicError):
        parse_filter(text)


def test_levels_and_wildcards_of_a_filter_are_bounded() -> None:
    limits = FilterLimits(levels=3, wildcards=2)
    assert ("+", "+", "a") == parse_filter("+/+/a", limits)
    with pytest.raises(TopicError, match="4 levels, at most 3"):
        parse_filter("a/b/c/d", limits)
    with pytest.raises(TopicError, match="3 wildcards, at most 2"):
        parse_filter("+/*/#", limits)


def test_a_filter_without_wildcards_is_exact() -> None:
    assert is_exact(parse_filter("a/b>c/$c"))
    assert not is_exact(parse_filter("a/*"))
    assert not is_exact(parse_filter("a/#"))


@pytest.mark.parametrize("topic_filter", [">", "a/>", "a.>", "a/b.>", "**", "a/**", "a.*", "a*", "*a/b", "a.#"])
def test_a_wildcard_of_another_broker_is_refused_with_ours(topic_filter: str) -> None:
    with pytest.raises(TopicError, match=r"is no wildcard here: \+ stands for one level and # for the rest"):
        parse_filter(topic_filter)


@pytest.mark.parametrize("topic_filter", ["a>b", "a/b>", "a.b", "*", "a/*/b", "+/a.b/#"])
def test_what_only_looks_like_one_is_not(topic_filter: str) -> None:
    assert parse_filter(topic_filter)
