"""How often an edge node is asked for its births: enough to heal quickly, never a storm.

- One request is outstanding for a node at a time. After one, the next waits FIRST_WAIT_US, and each that follows within
  CALM_US waits twice as long, to LONGEST_WAIT_US: a node whose births never name what its data name is not asked for ever.
- A node that was born again since it was asked has answered: metrics that its births still do not name are no reason to ask
  again before AGAIN_US, only messages that are missing are.
- Over all nodes BURST at once and then PER_S a second, because after a restart of the hub a whole fleet is unknown, and
  births are the largest messages that it sends. A node that was skipped is asked with its next message.
"""

from typing import Final

US_PER_S: Final = 1_000_000
FIRST_WAIT_US: Final = 10 * US_PER_S
LONGEST_WAIT_US: Final = 600 * US_PER_S
AGAIN_US: Final = 86_400 * US_PER_S
CALM_US: Final = 3_600 * US_PER_S
BURST: Final = 200
PER_S: Final = 100


class Asked:
    """When one node was asked, and how long the next request waits."""

    __slots__ = ("answered", "at_us", "wait_us")

    def __init__(self) -> None:
        self.at_us: int | None = None
        self.wait_us = FIRST_WAIT_US
        self.answered = False
        """Whether it was born again since it was asked."""

    def answer(self) -> None:
        """Note a birth of the node."""
        self.answered = self.at_us is not None

    def in_vain(self, now_us: int) -> bool:
        """Return whether the node would only repeat its answer."""
        return self.answered and self.at_us is not None and now_us - self.at_us < AGAIN_US


class Rebirths:
    """The requests of all nodes."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._at_us = 0

    def ask(self, node: Asked, now_us: int) -> bool:
        """Return whether the node is to be asked now; if so, that counts as done."""
        before = node.at_us
        if before is not None and now_us - before < node.wait_us:
            return False
        self._left = min(BURST, self._left + max(0, now_us - self._at_us) * PER_S / US_PER_S)
        self._at_us = now_us
        if self._left < 1:
            return False
        self._left -= 1
        node.at_us = now_us
        node.answered = False
        again = before is not None and now_us - before < CALM_US
        node.wait_us = min(LONGEST_WAIT_US, 2 * node.wait_us) if again else FIRST_WAIT_US
        return True
