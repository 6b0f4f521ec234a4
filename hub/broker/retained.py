"""The last message of each topic, for subscribers that ask `replay:last`.

Bounded in topics and octets; the topic whose last message is oldest is forgotten first. Forgetting loses nothing but the
convenience, so it is counted with reason `retained-evicted` and not told to anybody.
"""

from collections import Counter

from hub.broker.publication import Publication


class Retained:
    """Last publications by destination, oldest first."""

    __slots__ = ("_dropped", "_last", "_max_bytes", "_max_topics", "bytes")

    def __init__(self, max_topics: int, max_bytes: int, dropped: Counter[str]) -> None:
        self._last: dict[str, Publication] = {}
        self._max_topics = max_topics
        self._max_bytes = max_bytes
        self._dropped = dropped
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._last)

    def keep(self, publication: Publication) -> None:
        """Remember it as the last of its topic."""
        last = self._last
        destination = publication.address.destination
        previous = last.pop(destination, None)
        last[destination] = publication
        if previous is None:
            self.bytes += publication.size
        else:
            self.bytes += len(publication.body) - len(previous.body)
        while self.bytes > self._max_bytes or len(last) > self._max_topics:
            oldest = self._last.pop(next(iter(self._last)))
            self.bytes -= oldest.size
            self._dropped["retained-evicted"] += 1

    def all(self) -> list[Publication]:
        """Give them all, oldest first."""
        return list(self._last.values())
