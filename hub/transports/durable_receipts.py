"""Receipts that wait until what they stand for is durable (design, "The promise"), or confirmed by its consumers.

Each batch of the store has one future; all receipts that a connection owes for it wait together. A batch that cannot be
made durable, or a message that is not confirmed, ends the connection: its sender sends again, or asks.
"""

import asyncio
from collections.abc import Callable, Iterable


class DurableReceipts:
    """What one connection owes."""

    __slots__ = ("_answer", "_fail", "_owed")

    def __init__(self, answer: Callable[[list[str]], None], fail: Callable[[str | None, BaseException], None]) -> None:
        """Take what is done with receipts that are due, and with the first of those whose batch failed, and why."""
        self._answer = answer
        self._fail = fail
        self._owed: dict[asyncio.Future[None], list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._owed)

    @property
    def batches(self) -> "tuple[asyncio.Future[None], ...]":
        """Give what is waited for."""
        return tuple(self._owed)

    def owe(self, batches: "Iterable[asyncio.Future[None]]", receipts: list[str]) -> None:
        """Answer receipts once all of these batches are durable."""
        futures = tuple(batches)
        future = futures[0] if len(futures) == 1 else asyncio.ensure_future(_all(futures))
        waiting = self._owed.get(future)
        if waiting is None:
            self._owed[future] = receipts
            future.add_done_callback(self._durable)
        else:
            waiting.extend(receipts)

    async def settled(self) -> None:
        """Return when nothing is owed."""
        while self._owed:
            await asyncio.wait(self.batches)

    def _durable(self, future: "asyncio.Future[None]") -> None:
        receipts = self._owed.pop(future)
        failure = asyncio.CancelledError() if future.cancelled() else future.exception()
        if failure is not None:
            self._fail(receipts[0] if receipts else None, failure)
        else:
            self._answer(receipts)


async def _all(futures: "tuple[asyncio.Future[None], ...]") -> None:
    # gather: of several that fail, one is told and none is left to be reported as never looked at.
    await asyncio.gather(*futures)
