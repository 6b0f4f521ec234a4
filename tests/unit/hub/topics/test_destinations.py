"""Destinations: three kinds, each with a name; nothing else is one."""

import pytest

from hub.topics.destinations import Destination, Kind, parse_destination, queue, topic, topic_name
from hub.topics.names import TopicError


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("/topic/a", Kind.TOPIC, "a"),
        ("/topic//a/", Kind.TOPIC, "/a/"),
        ("/topic/+/#", Kind.TOPIC, "+/#"),
        ("/queue/jobs", Kind.QUEUE, "jobs"),
        ("/queue/a/b", Kind.QUEUE, "a/b"),
        ("/temp-queue/t", Kind.TEMP_QUEUE, "t"),
    ],
)
def test_a_destination_is_a_kind_and_a_name_and_its_text_again(text: str, kind: Kind, name: str) -> None:
    assert Destination(kind, name) == parse_destination(text)
    assert text == parse_destination(text).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "topic/a",
        "//topic/a",
        "/topic",
        "/topic/",
        "/TOPIC/a",
        "/queue/",
        "/temp-queue/",
        "/exchange/a/b",
        "/user/a",
        "a",
        " /topic/a",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(TopicError, match="destinations begin with /topic/, /queue/ or /temp-queue/"):
        parse_destination(text)


def test_names_become_destinations() -> None:
    assert ("/topic/a/b", "a/b") == (topic("a/b"), topic_name("/topic/a/b"))
    assert "/queue/jobs" == queue("jobs").text
