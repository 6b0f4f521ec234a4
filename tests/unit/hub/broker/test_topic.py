"""Topics that are remembered: bounded in number and in bytes of last messages, the oldest forgotten first."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.broker.publication import NO_HEADERS
from hub.broker.topic import Fanout, Topic, Topics
from hub.topics.destinations import Destination, Kind


class Known:
    def __init__(self, topics: int = 100, octets: int = 1_000_000, names: int = 1_000_000) -> None:
        self.dropped: Counter[str] = Counter()
        self.topics = Topics(topics, octets, names, self.dropped)
        self.number = 0

    def publish(self, destination: str, size: int = 10) -> None:
        topic = self.topics.get(f"/topic/{destination}")
        if topic is None:
            topic = Topic(Destination(Kind.TOPIC, destination), Fanout(), 0)
            self.topics.add(topic)
        self.number += 1
        self.topics.keep(topic, (self.number, b"x" * size, NO_HEADERS))

    def last(self) -> list[int]:
        return sorted(publication.number for publication in self.topics.last_messages(("#",)))


def test_the_last_message_of_each_topic_is_kept() -> None:
    known = Known()
    for destination in ["a", "b", "a", "c"]:
        known.publish(destination)
    assert [2, 3, 4] == known.last()
    assert [3] == [last.number for last in known.topics.last_messages(("a",))]


def test_the_number_of_topics_is_bounded_and_what_is_forgotten_counted() -> None:
    known = Known(topics=3)
    for destination in "abcd":
        known.publish(destination)
    assert (3, [2, 3, 4], {"retained-evicted": 1}) == (len(known.topics), known.last(), known.dropped)


def test_a_message_larger_than_the_bound_is_not_kept() -> None:
    known = Known(octets=1_000)
    known.publish("a")
    known.publish("b", 2_000)
    assert known.topics.bytes <= 1_000


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 1_500)), max_size=60))
def test_octets_of_last_messages_are_counted_right_and_bounded(steps: list[tuple[str, int]]) -> None:
    known = Known(topics=4, octets=2_500)
    for destination, size in steps:
        known.publish(destination, size)
        assert known.topics.bytes <= 2_500
        assert len(known.topics) <= 4
        last = list(known.topics.last_messages(("#",)))
        assert known.topics.bytes == sum(publication.size for publication in last)
