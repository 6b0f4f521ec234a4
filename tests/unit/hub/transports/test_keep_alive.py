"""Who is pinged when; the pings themselves are tested with the protocol (test_burst_websocket.py)."""

import asyncio

from hub.transports.burst_websocket import BurstProtocol, BurstWebSocketHandler
from hub.transports.keep_alive import KeepAlive
from tests.support.waiting import wait_until

PERIOD_S = 0.1


class Noting(BurstProtocol):
    """Notes when it is looked at."""

    def __init__(self) -> None:
        self.looks: list[float] = []

    def ping_or_end(self, period_s: float) -> None:
        assert PERIOD_S == period_s
        self.looks.append(asyncio.get_running_loop().time())


async def test_each_is_looked_at_once_a_period_until_it_is_dropped() -> None:
    keep_alive = KeepAlive(PERIOD_S)
    begun = asyncio.get_running_loop().time()
    one, other, gone = Noting(), Noting(), Noting()
    for protocol in (one, other, gone):
        keep_alive.add(protocol)
    keep_alive.drop(gone)
    keep_alive.drop(gone)
    await wait_until(lambda: len(one.looks) >= 3)
    keep_alive.drop(one)
    seen = len(one.looks)
    await wait_until(lambda: len(other.looks) >= seen + 2)
    keep_alive.stop()

    assert [] == gone.looks
    assert seen == len(one.looks)
    assert one.looks[0] - begun >= PERIOD_S * 0.9
    assert all(later - earlier >= PERIOD_S * 0.5 for earlier, later in zip(one.looks, one.looks[1:], strict=False))


async def test_whoever_ends_while_it_is_looked_at_is_gone() -> None:
    keep_alive = KeepAlive(PERIOD_S)

    class Ending(Noting):
        def ping_or_end(self, period_s: float) -> None:
            super().ping_or_end(period_s)
            keep_alive.drop(self)

    ending, staying = Ending(), Noting()
    keep_alive.add(ending)
    keep_alive.add(staying)
    await wait_until(lambda: len(staying.looks) >= 2)
    keep_alive.stop()

    assert 1 == len(ending.looks)


async def test_nobody_is_pinged_where_it_is_switched_off() -> None:
    keep_alive = KeepAlive(0)
    keep_alive.add(Noting())
    assert 0 == len(keep_alive)


def test_a_protocol_is_what_is_kept() -> None:
    """Its fields stay few: past thirty Python gives each object a dictionary of its own, 1.1 KiB a connection."""
    assert len(vars(BurstProtocol(BurstWebSocketHandler.__new__(BurstWebSocketHandler), 1))) <= 30
