"""The clock of one connection: when to beat, and when the peer counts as dead.

Periods are agreed by CONNECT and CONNECTED (STOMP 1.2, "Heart-beating"): each direction takes the larger of what the
sender offers and what the receiver wants, and none if either says 0. Any byte counts as life. Times are seconds on a
monotonic clock, passed by the caller.
"""

from enum import Enum

from hub.refusal import Reason, quoted
from hub.stomp.frames import FrameError

BEAT = b"\n"
# We beat a little early, so that timer jitter does not break the guarantee (stomp.py gives up after 1.5 periods).
SEND_MARGIN = 0.8
# Nobody is declared dead before two periods have passed (stompjs and Artemis allow the same).
TOLERANCE = 2.0
_MAX_MS = 86_400_000


class Pulse(Enum):
    """What the clock asks for."""

    NOTHING = "nothing"
    BEAT = "beat"
    DEAD = "dead"


def parse_heart_beat(text: str | None) -> tuple[int, int]:
    """Read a `heart-beat` header: (what the sender can do, what it wants), in ms.

    Raises:
        FrameError: it is not two non-negative integers.
    """
    if text is None:
        return 0, 0
    parts = [part.strip(" ") for part in text.split(",")]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts):
        raise FrameError(Reason.BAD_HEART_BEAT, f"heart-beat must be two numbers of milliseconds, not {quoted(text)}")
    return int(parts[0]), int(parts[1])


def offer_for(client: tuple[int, int], shortest_ms: int, longest_ms: int) -> tuple[int, int]:
    """Return CONNECTED's numbers: in each direction the period that the client asks for, within the bounds.

    0 where the client said 0: there are clients that take our number literally after their own 0.
    """
    client_sends, client_wants = client
    return (
        min(max(client_wants, shortest_ms), longest_ms) if client_wants else 0,
        min(max(client_sends, shortest_ms), longest_ms) if client_sends else 0,
    )


class Heartbeat:
    """The agreed periods and the last times of life in both directions."""

    __slots__ = ("expect_s", "last_received", "last_sent", "offer", "send_s")

    def __init__(self, client: tuple[int, int], server: tuple[int, int], now: float) -> None:
        client_sends, client_wants = client
        server_sends, server_wants = server
        send_ms = max(server_sends, client_wants) if server_sends and client_wants else 0
        expect_ms = max(client_sends, server_wants) if client_sends and server_wants else 0
        self.send_s = min(send_ms, _MAX_MS) / 1000 * SEND_MARGIN
        self.expect_s = min(expect_ms, _MAX_MS) / 1000 * TOLERANCE
        self.offer = server
        self.last_sent = now
        self.last_received = now

    def deadline(self) -> float | None:
        """Return the next time at which `poll` can have an answer; None if never."""
        times = []
        if self.send_s:
            times.append(self.last_sent + self.send_s)
        if self.expect_s:
            times.append(self.last_received + self.expect_s)
        return min(times, default=None)

    def poll(self, now: float) -> Pulse:
        """Return what is due. A BEAT counts as sent."""
        if self.expect_s and now - self.last_received >= self.expect_s:
            return Pulse.DEAD
        if self.send_s and now - self.last_sent >= self.send_s:
            self.last_sent = now
            return Pulse.BEAT
        return Pulse.NOTHING
