"""Messages whose receipt waits for the ACK of somebody who takes them further (SUBSCRIBE with `receipt-after-ack:true`).

Such a subscriber is called a consumer: a bridge that publishes commands to MQTT. A receipt that stands for one message or,
after a COMMIT, for several, has one `Confirmation`; each consumer of each of the messages knows it by the message's number
(`Window.awaited`). It is settled once: when all have acknowledged, or when the first of them cannot any more. There
is no time in here: who made it gives it up (`refuse`) when its deadline passes.
"""

from collections.abc import Callable

Settled = Callable[[str | None], None]
"""Takes None when all is acknowledged, else why it is not, or not known to be."""

LEFT = "its consumer left before it acknowledged; it is unknown whether the message arrived"
BEHIND = "its consumer is too far behind to take the message"


class Confirmation:
    """What one receipt waits for."""

    __slots__ = ("_left", "_open", "_told", "_why")

    def __init__(self, opened: "set[Confirmation]") -> None:
        """Take the set of all that are open, which it is in until it is settled."""
        self._left = 0
        self._open = opened
        self._told: Settled | None = None
        self._why: str | None = None
        opened.add(self)

    def expect(self) -> None:
        """Wait for one more ACK."""
        self._left += 1

    def confirm(self) -> None:
        """One consumer has acknowledged."""
        self._left -= 1
        if not self._left:
            self._settle(None)

    def refuse(self, why: str) -> None:
        """One consumer has not, and will not."""
        self._settle(why)

    def when_settled(self, told: Settled) -> None:
        """Set the callback; called at once if it is settled already."""
        if self in self._open:
            self._told = told
        else:
            told(self._why)

    def _settle(self, why: str | None) -> None:
        if self not in self._open:
            return
        self._open.remove(self)
        self._why = why
        if self._told is not None:
            self._told(why)
