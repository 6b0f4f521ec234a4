"""QoS 0 messages: how many may be held, and who sends them.

They are at most once by their sender's choice: the broker does not repeat them, so each one that the bridge or the hub
loses is lost. Policy when `limit` are held: drop the newest, counted by the relay. Each topic is named once in the log,
`MAX_NAMED` topics at most, so that somebody can raise the device's QoS.
"""

from typing import Final

import structlog

MAX_NAMED: Final = 1_000

log = structlog.get_logger("bridge")


class Qos0:
    """The count of those held, and the topics that were named."""

    def __init__(self, limit: int) -> None:
        self.held = 0
        self._limit = limit
        self._named: set[bytes] = set()

    def admit(self, topic: bytes) -> bool:
        """Say whether there is room for one more, and count it as held if so."""
        if topic not in self._named and len(self._named) < MAX_NAMED and topic:
            self._named.add(topic)
            log.warning(
                "message.qos0",
                topic=topic[:200].decode(errors="backslashreplace"),
                consequence="what is published at QoS 0 can be lost: publish at QoS 1",
                topics_not_named_any_more=len(self._named) == MAX_NAMED,
            )
        if self.held >= self._limit:
            return False
        self.held += 1
        return True
