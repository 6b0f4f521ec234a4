"""The ring: futures resolve in the order of sealing."""

import asyncio

from storage.batch import Batch, Ring


async def test_a_batch_that_is_durable_early_waits_for_those_before_it() -> None:
    loop = asyncio.get_running_loop()
    first, second, third = (Batch(loop.create_future()) for _ in range(3))
    ring = Ring()
    for batch in (first, second, third):
        ring.add(batch)

    assert ring.settle(second) == []
    assert not second.future.done()
    assert ring.settle(first) == [first, second]
    assert first.future.done()
    assert second.future.done()
    assert not third.future.done()


async def test_abandoned_batches_are_cancelled() -> None:
    batch = Batch(asyncio.get_running_loop().create_future())
    ring = Ring()
    ring.add(batch)

    assert ring.abandon() == 1
    assert batch.future.cancelled()


async def test_a_receiver_that_gave_up_does_not_hold_the_ring() -> None:
    batch = Batch(asyncio.get_running_loop().create_future())
    ring = Ring()
    ring.add(batch)
    batch.future.cancel()

    assert ring.settle(batch) == [batch]
