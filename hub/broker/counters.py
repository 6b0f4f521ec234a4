"""What the broker counts: plain numbers that the hot path adds to and `/metrics` reads."""

from collections import Counter


class Counters:
    """Totals since the start, and the numbers of what is made next."""

    __slots__ = (
        "_ack_ids",
        "_epoch",
        "dropped",
        "messages_in",
        "messages_out",
        "number",
        "queued_bytes",
        "redelivered",
        "slow_consumers",
    )

    def __init__(self, epoch: str) -> None:
        self.messages_in = 0  # publications on topics and queues
        self.messages_out = 0  # messages given to outboxes
        self.redelivered = 0
        self.slow_consumers = 0  # connections given up because their peer does not read
        self.dropped: Counter[str] = Counter()  # by reason
        self.queued_bytes = 0  # that wait in work queues
        self.number = 0  # of the last publication
        self._ack_ids = 0
        self._epoch = epoch

    def next_ack_id(self) -> str:
        """Return an id for a delivery that will be acknowledged; never one of a publication's number."""
        self._ack_ids += 1
        return f"{self._epoch}-a{self._ack_ids}"

    def is_ours(self, ack_id: str) -> bool:
        """Whether an id can be of this run of the hub."""
        return ack_id.startswith(f"{self._epoch}-")
