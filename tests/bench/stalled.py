"""A thousand readers that stopped reading, beside ten that did not: what the ten notice, and what the thousand cost.

Open loop at 500 msg/s of about 1 KB, latency from the intended time of sending. The stalled ones announce a small receive
buffer and read nothing after their subscription. So that they stay for the whole run the hub is told not to close them
(`limits.stall_s`); with the default they are gone after ten seconds. The first seconds, in which the kernel still takes
messages for them, are left out on both sides. Each round measures the ten alone and then with the thousand, on a fresh
hub each.
"""

import contextlib
import re
import selectors
import statistics
import time
from dataclasses import asdict, dataclass

from hub.settings.limits import Limits
from tests.bench.figure import Goal, Row, median_ratio, number, percentile
from tests.bench.process import cpu_s, rss_bytes
from tests.bench.servers import Server, Servers
from tests.bench.stomp_socket import RECEIVE_BYTES, StompSocket, send_frame

HEALTHY, STALLED = 10, 1_000
RATE = 500
RECEIVE_BUFFER = 4_096
TOPIC = "/topic/bench/stalled"
PADDING = "x" * 950
WARM_UP_S = 6.0  # the kernel takes messages for the stalled ones until its buffers are full: they are not stalled yet
EXTRA_MIB = 50.0
MIB = 1024 * 1024
_SENT = re.compile(rb'"ts":(\d{19})')


@dataclass(frozen=True, slots=True)
class Measured:
    """What the healthy ones saw (ms), and the hub's memory (MiB) and CPU (seconds a second)."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    messages: int
    rss_before_mib: float
    rss_most_mib: float
    busy: float


def drive(server: Server, stalled: int, seconds: float) -> Measured:
    """Publish at the rate, read with the healthy."""
    before = rss_bytes(server.pid) / MIB
    most = before
    latencies: list[float] = []
    tails: dict[StompSocket, bytes] = {}
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:

        def connect(receive_buffer: int = 0) -> StompSocket:
            one = StompSocket(server.port, receive_buffer)
            stack.callback(one.close)
            return one

        for _ in range(stalled):
            connect(RECEIVE_BUFFER).subscribe([("sub-0", TOPIC)])
        for _ in range(HEALTHY):
            one = connect()
            one.subscribe([("sub-0", TOPIC)])
            one.socket.setblocking(False)
            selector.register(one.socket, selectors.EVENT_READ, one)
            tails[one] = b""
        publisher = connect()
        begin = time.time_ns()
        cpu = cpu_s(server.pid)
        period = 1_000_000_000 // RATE
        number_of_messages = int((WARM_UP_S + seconds) * RATE)
        sent = 0
        end = begin + number_of_messages * period
        sampled = 0
        while (now := time.time_ns()) < end:
            while sent < number_of_messages and (due := begin + sent * period) <= now:
                publisher.socket.sendall(send_frame(TOPIC, b'{"ts":%d,"p":"%s"}' % (due, PADDING.encode())))
                sent += 1
            # Polled, not awaited: the selector's clock is too coarse for a period of 2 ms, and the core is the load's own.
            for key, _ in selector.select(0):
                tails[key.data] = _read(key.data, tails[key.data], latencies, begin + int(WARM_UP_S * 1e9))
            if now - sampled > 200_000_000:
                sampled = now
                most = max(most, rss_bytes(server.pid) / MIB)
        busy = (cpu_s(server.pid) - cpu) / ((time.time_ns() - begin) / 1e9)
    return Measured(
        percentile(latencies, 0.5),
        percentile(latencies, 0.99),
        max(latencies, default=0),
        len(latencies),
        before,
        most,
        busy,
    )


def _read(one: StompSocket, tail: bytes, latencies: list[float], since: int) -> bytes:
    """Read what there is and note the latencies; gives what is left of an incomplete message."""
    data = one.socket.recv(RECEIVE_BYTES)
    if not data:
        raise ConnectionError("the hub closed a healthy subscriber")
    now = time.time_ns()
    data = tail + data
    whole = data.rfind(b"}\0") + 2 if b"}\0" in data else 0
    sent = (int(found[1]) for found in _SENT.finditer(data, 0, whole))
    latencies.extend((now - then) / 1e6 for then in sent if then >= since)
    return data[whole:]


def measure(servers: Servers, rounds: int, seconds: float) -> tuple[list[Row], dict[str, list[dict[str, float]]]]:
    """Compare the ten alone with the ten beside the thousand."""
    alone: list[Measured] = []
    beside: list[Measured] = []
    for _ in range(rounds):
        for stalled, runs in ((0, alone), (STALLED, beside)):
            with servers.hub({"stall_s": 600}) as server:
                runs.append(drive(server, stalled, seconds))
    work = "1,000 stalled subscribers beside 10 healthy ones"
    p99 = [[one.p99_ms for one in runs] for runs in (alone, beside)]
    busy = [statistics.median(one.busy for one in runs) for runs in (alone, beside)]
    latency = Row(
        f"{work}: p99 of the healthy",
        f"without: {number(statistics.median(p99[0]))} ms",
        f"{number(statistics.median(p99[1]))} ms",
        median_ratio(p99[1], p99[0]),
        Goal(3, at_least=False),
        notes=f"the hub's core was busy for {busy[0]:.0%} without and {busy[1]:.0%} with the stalled ones.",
    )
    most = max(one.rss_most_mib for one in beside)
    bound = STALLED * Limits().outbox_bytes / MIB + EXTRA_MIB
    memory = Row(
        f"{work}: memory of the hub",
        f"without: {max(one.rss_most_mib for one in alone):.0f} MiB",
        f"{most:.0f} MiB",
        most,
        Goal(bound, at_least=False, unit="MiB"),
    )
    return [latency, memory], {"alone": [asdict(one) for one in alone], "beside": [asdict(one) for one in beside]}
