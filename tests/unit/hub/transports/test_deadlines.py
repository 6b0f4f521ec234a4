"""The clocks of a connection, in real time with short limits."""

import asyncio

from hub.settings.limits import Limits
from hub.stomp.heartbeat import Heartbeat
from hub.transports.deadlines import Deadlines
from tests.support.waiting import wait_until

FRAME_S = 0.2


class Quiet:
    """An open connection without heart-beats; notes what it is told, and how often its clocks are looked at."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.timeouts: list[str] = []
        self.looks = 0
        self.deadlines = Deadlines(self, Limits(frame_s=FRAME_S), self.loop)
        self.deadlines.opened()

    @property
    def opening(self) -> bool:
        return False

    @property
    def heartbeat(self) -> Heartbeat | None:
        self.looks += 1
        return None

    def timed_out(self, what: str) -> None:
        self.timeouts.append(what)

    def stalled(self) -> bool:
        return False

    def beat(self) -> None:
        raise AssertionError("no heart-beats were agreed")

    def lost(self) -> None:
        raise AssertionError("no heart-beats were agreed")

    def receive(self, *, another: bool) -> float:
        """Take octets that end within a frame; gives the time."""
        now = self.loop.time()
        self.deadlines.frame(True, now, another=another)
        return now

    async def passes(self, seconds: float) -> None:
        """Wait until the loop's clock is that much later."""
        end = self.loop.time() + seconds
        await wait_until(lambda: self.loop.time() >= end)


async def test_a_frame_that_is_not_completed_is_ended() -> None:
    connection = Quiet()
    connection.receive(another=True)
    await wait_until(lambda: connection.receive(another=False) > 0 and bool(connection.timeouts))
    assert ["a frame was not complete within 0.2 s"] == connection.timeouts


async def test_a_stream_that_never_rests_is_not_ended() -> None:
    """Each burst of a fast publisher ends within a frame; each frame is complete with the next burst."""
    connection = Quiet()
    end = connection.loop.time() + 3 * FRAME_S
    await wait_until(lambda: connection.receive(another=True) >= end)
    assert not connection.timeouts
    connection.deadlines.stop()


async def test_a_peer_that_was_held_back_has_its_full_time_again() -> None:
    connection = Quiet()
    connection.receive(another=True)
    connection.deadlines.pause()
    await connection.passes(2 * FRAME_S)
    looks = connection.looks
    await connection.passes(2 * FRAME_S)
    assert looks == connection.looks, "nothing can be due, so nobody needs to look"

    connection.deadlines.resume()
    await connection.passes(FRAME_S / 2)
    assert not connection.timeouts
    await wait_until(lambda: bool(connection.timeouts))
