"""What wildcards cost: 10,000 device topics published in turn, to subscribers of filters and to those of exact topics.

Two forms, each with 20 subscribers of `fleet/#` and 200 of `+` filters:

    by site     the topics are 200 sites with 50 devices; each `+` filter is one site's. 21 deliveries a message, to
                ever changing sets of subscribers. Exact: the same subscribers with a subscription for each topic.
    everything  each `+` filter takes all topics: 220 deliveries a message. Exact: 220 subscribers of one topic, which
                is all that is ever published, so the best that caching can do.

CPU a delivery is compared, as the load shares its core with 220 readers. The limit of subscriptions is raised for the exact
form by site (20 subscribers have 10,000 each).
"""

import contextlib
import selectors
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tests.bench.figure import Goal, Row, median_ratio, number
from tests.bench.process import cpu_s
from tests.bench.servers import Server, Servers
from tests.bench.stomp_socket import RECEIVE_BYTES, Ends, StompSocket, send_frame

SITES, DEVICES = 200, 50
WATCHERS = 20
WINDOW = 1_000  # messages published and not yet seen by the first watcher
GROUP = 50  # messages a write
WARM_UP_MESSAGES = SITES * DEVICES
LIMITS = {"subscriptions": SITES * DEVICES + 1}
BODY = b'{"ts":1795190400000,"temperature":21.5,"humidity":40.25,"pressure":1013.2,"state":"running","seq":123456}'


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run gave."""

    deliveries_per_s: float
    cpu_us_per_delivery: float


@dataclass(frozen=True, slots=True)
class Form:
    """Who subscribes to what, and what is published in turn."""

    watchers: tuple[tuple[str, str], ...]  # (id, destination) of each of the 20
    readers: tuple[tuple[tuple[str, str], ...], ...]  # of each of the 200
    topics: tuple[str, ...]
    deliveries: int  # a message


def topic(site: int, device: int) -> str:
    return f"/topic/fleet/site-{site:03}/dev-{device:02}"


def by_site(*, exact: bool) -> Form:
    topics = tuple(topic(site, device) for device in range(DEVICES) for site in range(SITES))
    ids = {name: f"s{index}" for index, name in enumerate(topics)}
    if exact:
        sites = ([topic(site, device) for device in range(DEVICES)] for site in range(SITES))
        readers = tuple(tuple((ids[name], name) for name in names) for names in sites)
        return Form(tuple((ids[name], name) for name in topics), readers, topics, WATCHERS + 1)
    readers = tuple((("sub-0", f"/topic/fleet/site-{site:03}/+"),) for site in range(SITES))
    return Form((("sub-0", "/topic/fleet/#"),), readers, topics, WATCHERS + 1)


def everything(*, exact: bool) -> Form:
    if exact:
        one = (("sub-0", topic(0, 0)),)
        return Form(one, (one,) * SITES, (topic(0, 0),) * (SITES * DEVICES), WATCHERS + SITES)
    wild = by_site(exact=False)
    return Form(wild.watchers, ((("sub-0", "/topic/fleet/+/+"),),) * SITES, wild.topics, WATCHERS + SITES)


FORMS = {"by site": by_site, "everything": everything}


@contextlib.contextmanager
def subscribers(server: Server, form: Form) -> Iterator[list[StompSocket]]:
    """Connect everybody; the first is a watcher, who sees each message."""
    with contextlib.ExitStack() as stack:
        connected: list[StompSocket] = []
        for subscriptions in (*(form.watchers,) * WATCHERS, *form.readers):
            one = StompSocket(server.port)
            stack.callback(one.close)
            one.subscribe(subscriptions)
            one.socket.setblocking(False)
            connected.append(one)
        yield connected


def drive(server: Server, form: Form, seconds: float) -> Measured:
    """Publish in turn, closed loop, and read what comes."""
    groups = [form.topics[at : at + GROUP] for at in range(0, len(form.topics), GROUP)]
    writes = [b"".join(send_frame(name, BODY) for name in group) for group in groups]
    publisher = StompSocket(server.port)
    buffer = bytearray(RECEIVE_BYTES)
    seen = Ends()
    sent = turn = 0
    begun: tuple[float, float, int] | None = None
    with subscribers(server, form) as connected, selectors.DefaultSelector() as selector:
        for one in connected:
            selector.register(one.socket, selectors.EVENT_READ, one)
        first = connected[0]
        while True:
            while sent - seen.count < WINDOW:
                publisher.socket.sendall(writes[turn])
                turn = (turn + 1) % len(writes)
                sent += GROUP
            for key, _ in selector.select(5.0):
                size = key.data.socket.recv_into(buffer)
                if size == 0:
                    raise ConnectionError("the hub closed a subscriber")
                if key.data is first:
                    seen.take(bytes(memoryview(buffer)[:size]))
            now = time.monotonic()
            if begun is None:
                if seen.count >= WARM_UP_MESSAGES:
                    begun = now, cpu_s(server.pid), seen.count
            elif now - begun[0] >= seconds:
                break
    publisher.close()
    deliveries = (seen.count - begun[2]) * form.deliveries
    return Measured(deliveries / (now - begun[0]), (cpu_s(server.pid) - begun[1]) / deliveries * 1e6)


def measure(name: str, servers: Servers, rounds: int, seconds: float) -> tuple[Row, dict[str, list[dict[str, float]]]]:
    """Compare filters with exact topics in one of the forms, each run on a fresh hub."""
    taken: dict[bool, list[Measured]] = {True: [], False: []}
    for _ in range(rounds):
        for exact, runs in taken.items():
            with servers.hub(LIMITS) as server:
                runs.append(drive(server, FORMS[name](exact=exact), seconds))
    cpu = {exact: [run.cpu_us_per_delivery for run in runs] for exact, runs in taken.items()}
    rate = {exact: sorted(run.deliveries_per_s for run in runs)[rounds // 2] for exact, runs in taken.items()}
    value = median_ratio(cpu[False], cpu[True])
    row = Row(
        f"10,000 topics in turn to 20 `#` and 200 `+` filters, {name}",
        f"exact: {number(rate[True])}/s",
        f"{number(rate[False])}/s",
        value,
        Goal(2, at_least=False),
        " → ".join(number(sorted(cpu[exact])[rounds // 2]) for exact in (True, False)),
    )
    return row, {
        "exact": [asdict(run) for run in taken[True]],
        "filters": [asdict(run) for run in taken[False]],
    }
