"""What the broker counts: plain numbers that the hot path adds to and `/metrics` reads."""

from collections import Counter


class Counters:
    """Totals since the start."""

    __slots__ = ("_ack_ids", "dropped", "messages_in", "messages_out", "number", "redelivered", "slow_consumers")

    def __init__(self) -> None:
        self.messages_in = 0  # publications on topics and queues
        self.messages_out = 0  # MESSAGE frames given to outboxes
        self.redelivered = 0
        self.slow_consumers = 0  # connections given up because their peer does not read
        self.dropped: Counter[str] = Counter()  # by reason
        self.number = 0  # of the last publication: its message-id on auto subscriptions
        self._ack_ids = 0

    def next_ack_id(self) -> str:
        """Give an id for a delivery that will be acknowledged; never one of `number`'s plain digits."""
        self._ack_ids += 1
        return f"a{self._ack_ids}"
