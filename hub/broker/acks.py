"""Messages that a client has not acknowledged yet (STOMP 1.2, ACK and NACK).

One `AckWindow` per subscription with ack client or client-individual. It holds at most `prefetch` deliveries, in the
order in which they were sent. `client` is cumulative within the subscription; `client-individual` is not. Ack ids are
unique hub-wide, so 1.0 and 1.1 can acknowledge by message-id alone.
"""

from typing import NamedTuple

from hub.broker.publication import Publication


class Delivery(NamedTuple):
    """One message that was given to one consumer."""

    publication: Publication
    attempt: int  # 1 for the first delivery


class AckWindow:
    """The unacknowledged deliveries of one subscription."""

    __slots__ = ("_cumulative", "_prefetch", "_unacknowledged")

    def __init__(self, prefetch: int, *, cumulative: bool) -> None:
        self._prefetch = prefetch
        self._cumulative = cumulative
        self._unacknowledged: dict[str, Delivery] = {}

    def __len__(self) -> int:
        return len(self._unacknowledged)

    @property
    def open(self) -> bool:
        """Whether another message may be delivered."""
        return len(self._unacknowledged) < self._prefetch

    def add(self, ack_id: str, delivery: Delivery) -> None:
        """Note a delivery."""
        self._unacknowledged[ack_id] = delivery

    def take(self, ack_id: str) -> dict[str, Delivery]:
        """Settle what an ACK or NACK of this id covers, oldest first; empty if the id is not outstanding."""
        if ack_id not in self._unacknowledged:
            return {}
        if not self._cumulative:
            return {ack_id: self._unacknowledged.pop(ack_id)}
        taken: dict[str, Delivery] = {}
        for key in list(self._unacknowledged):
            taken[key] = self._unacknowledged.pop(key)
            if key == ack_id:
                break
        return taken

    def take_one(self, ack_id: str) -> Delivery | None:
        """Take a single delivery back, whatever the mode."""
        return self._unacknowledged.pop(ack_id, None)

    def take_all(self) -> dict[str, Delivery]:
        """Take everything back: the consumer is gone."""
        taken, self._unacknowledged = self._unacknowledged, {}
        return taken
