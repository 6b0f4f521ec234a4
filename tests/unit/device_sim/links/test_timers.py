"""Deadlines come in their order, not before their time; one that fails does not keep the others from coming."""

import asyncio

from device_sim.links.timers import Timers
from tests.support.waiting import wait_until


async def test_deadlines_come_in_order() -> None:
    timers, called = Timers(), list[float]()
    begin = asyncio.get_running_loop().time()

    def note(delay_s: float) -> None:
        assert asyncio.get_running_loop().time() - begin >= delay_s
        called.append(delay_s)

    def fail() -> None:
        raise ValueError("a bug")

    timers.start()
    for delay_s in (0.09, 0.03, 0.0, 0.06):
        timers.after(delay_s, lambda delay_s=delay_s: note(delay_s))  # type: ignore[misc]
    timers.after(0.01, fail)
    await wait_until(lambda: len(called) == 4)
    timers.close()

    assert called == [0.0, 0.03, 0.06, 0.09]
    assert str(timers.failure) == "a bug"
