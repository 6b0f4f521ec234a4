"""When readings were meant to be sent, for those who see them delivered: a bounded memory by name and device time.

The name is the device's; beside it the topic's, for dashboards that see messages as they were sent.

Two generations: when the young one is full it becomes the old one and the old one is forgotten, so that between GENERATION
and twice as many messages are known. What is older is simply not measured.
"""

from collections.abc import Iterable

from device_sim.message import Message

GENERATION = 100_000

Key = tuple[str, int]


class Intended:
    """`add` what is sent, `due_s` of what is seen."""

    def __init__(self, generation: int = GENERATION, *, by_topic: bool = False) -> None:
        self._most = generation
        self._by_topic = by_topic
        self._young: dict[Key, float] = {}
        self._old: dict[Key, float] = {}

    def add(self, messages: Iterable[Message]) -> None:
        """Remember messages that carry their device's time; of a repeat, the first counts."""
        for message in messages:
            if message.timed and message.metrics:
                self._learn((message.device, message.time_us), message.due_s)
                if self._by_topic:
                    self._learn((message.topic, message.time_us), message.due_s)
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}

    def due_s(self, name: str, time_us: int) -> float | None:
        """Return the intended time of the message with this name and time; None when it is not, or no longer, known."""
        due_s = self._young.get((name, time_us))
        return self._old.get((name, time_us)) if due_s is None else due_s

    def _learn(self, key: Key, due_s: float) -> None:
        if key not in self._young and key not in self._old:
            self._young[key] = due_s
