"""A batch: readings that are written together and share one future; and the ring that resolves futures in order."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.device_state import DeviceState
    from storage.quarantine import QuarantinedPayload
    from storage.reading import Reading


class Batch:
    """What was gathered between two flushes; `future` resolves when all of it is durable."""

    __slots__ = ("due", "durable", "extra_bytes", "future", "quarantined", "rows", "states")

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.rows: list[Reading] = []
        self.quarantined: list[QuarantinedPayload] = []
        self.states: list[DeviceState] = []
        self.extra_bytes = 0
        self.future = future
        self.due = False
        self.durable = False


class Ring:
    """The sealed batches in their order of sealing; a batch that is durable early waits for those before it.

    Bounded by the writer's limit on rows and bytes in memory.
    """

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)

    def settle(self, batch: Batch) -> list[Batch]:
        """Note that the batch is durable; resolve and return the unbroken run of durable ones at the head."""
        batch.durable = True
        settled: list[Batch] = []
        while self._batches and self._batches[0].durable:
            head = self._batches.popleft()
            settled.append(head)
            if not head.future.done():
                head.future.set_result(None)
        return settled

    def abandon(self) -> int:
        """Cancel the futures of all that is left; return their number."""
        left = len(self._batches)
        for batch in self._batches:
            batch.future.cancel()
        self._batches.clear()
        return left
