"""One client makes the hub keep more than it may: the process stays within the budget, and others are served."""

import contextlib
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from hub.processes.supervisor import Supervisor
from tests.support.hub import NO_DATABASE, hub_command
from tests.support.raw_stomp import RawStomp, TcpOctets, tcp
from tests.support.waiting import wait_for

MIB = 1024 * 1024
BUDGET = 64 * MIB
# What the allocator keeps, what comes in between two looks, and what the counts leave out.
MARGIN = 64 * MIB
BODY = "x" * 524_288
LIMITS = f"[limits]\nmemory_bytes = {BUDGET}\nclose_s = 2\nstrangers_per_address = 1000\n"


class Attacked:
    """A hub with a small budget, and how large its process has become."""

    def __init__(self, http_url: str, stomp_port: int, pid: int) -> None:
        self.http_url = http_url
        self.stomp_port = stomp_port
        self._process = psutil.Process(pid)
        self._begun = self.resident

    @property
    def resident(self) -> int:
        size: int = self._process.memory_info().rss
        return size

    @property
    def grown(self) -> int:
        return self.resident - self._begun

    def metric(self, name: str) -> float:
        """Return the sum of a metric's rows."""
        with urllib.request.urlopen(f"{self.http_url}/metrics") as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def accepts(self) -> bool:
        """Whether a new connection is let in."""
        with tcp(self.stomp_port) as client:
            client.send("CONNECT\naccept-version:1.2\nhost:h\n\n^@")
            return client.frame().command == "CONNECTED"

    def connect(self, receive_buffer: int | None = None) -> RawStomp:
        client = tcp(self.stomp_port, receive_buffer=receive_buffer)
        client.connect()
        return client


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Attacked]:
    config = tmp_path / "hub.toml"
    config.write_text(LIMITS)
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start(
            "hub", hub_command(tmp_path / "data", "--config", str(config), "--database-url", NO_DATABASE)
        )
        http_url, _, stomp_url = child.wait_ready(20)
        port = urlsplit(stomp_url).port
        assert port is not None
        yield Attacked(http_url, port, child.process.pid)


def send_all(client: RawStomp, frames: Iterator[str]) -> int:
    """Send until all is sent, the hub reads no more for a second, or it ends the connection; return how many went."""
    assert isinstance(client.octets, TcpOctets)
    client.octets.socket.settimeout(1.0)
    sent = 0
    with contextlib.suppress(OSError):
        for frame in frames:
            client.send(frame)
            sent += 1
    return sent


def queues(_: Attacked, client: RawStomp, __: contextlib.ExitStack) -> None:
    for queue in range(46):
        send_all(client, (f"SEND\ndestination:/queue/q{queue}\n\n{BODY}^@" for _ in range(128)))


def window(hub: Attacked, client: RawStomp, stack: contextlib.ExitStack) -> None:
    """Take work and acknowledge none, on many subscriptions."""
    consumer = stack.enter_context(hub.connect())
    for number in range(100):
        consumer.send(f"SUBSCRIBE\nid:{number}\ndestination:/queue/w{number}\nack:client\nprefetch-count:10000\n\n^@")
    for number in range(100):
        for _ in range(8):
            send_all(client, iter([f"SEND\ndestination:/queue/w{number}\n\n{BODY}^@"]))
            with contextlib.suppress(TimeoutError, OSError):
                assert isinstance(consumer.octets, TcpOctets)
                consumer.octets.socket.settimeout(0.02)
                consumer.octets.socket.recv(2 * MIB)


def topic_windows(hub: Attacked, client: RawStomp, stack: contextlib.ExitStack) -> None:
    """Acknowledge nothing on topics: what waits for the windows is each subscription's own."""
    for of in range(4):
        consumer = stack.enter_context(hub.connect(receive_buffer=4_096))
        for number in range(64):
            consumer.send(
                f"SUBSCRIBE\nid:{number}\ndestination:/topic/t/{of}\nack:client\nprefetch-count:1\non-slow:conflate\n\n^@"
            )
    send_all(client, (f"SEND\ndestination:/topic/t/{number % 4}\n\n{BODY}^@" for number in range(400)))


def transactions(hub: Attacked, _: RawStomp, stack: contextlib.ExitStack) -> None:
    clients = [stack.enter_context(hub.connect()) for _ in range(30)]
    for client in clients:
        send_all(client, iter([f"BEGIN\ntransaction:{name}\n\n^@" for name in "abcd"]))
        for name in "abcd":
            send_all(client, (f"SEND\ndestination:/topic/t\ntransaction:{name}\n\n{BODY}^@" for _ in range(31)))


def stalled(hub: Attacked, client: RawStomp, stack: contextlib.ExitStack) -> None:
    for _ in range(300):
        reader = stack.enter_context(hub.connect(receive_buffer=4_096))
        reader.send("SUBSCRIBE\nid:s\ndestination:/topic/load\n\n^@")
    send_all(client, (f"SEND\ndestination:/topic/load\n\n{BODY}^@" for _ in range(100)))


def names(_: Attacked, client: RawStomp, __: contextlib.ExitStack) -> None:
    send_all(client, (f"SEND\ndestination:/topic/{number:06}{'n' * 8_100}\n\n1^@" for number in range(20_000)))


def held(hub: Attacked, client: RawStomp, stack: contextlib.ExitStack) -> None:
    """Have messages held back by max-rate on many topics."""
    for number in range(20):
        reader = stack.enter_context(hub.connect(receive_buffer=4_096))
        reader.send(f"SUBSCRIBE\nid:s\ndestination:/topic/h/{number}/#\nmax-rate:0.01\n\n^@")
    for _ in range(2):
        send_all(client, (f"SEND\ndestination:/topic/h/{n % 20}/{n}\n\n{BODY}^@" for n in range(600)))


ATTACKS = [queues, window, topic_windows, transactions, stalled, names, held]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.__name__ for attack in ATTACKS])
def test_the_process_stays_within_the_budget_and_others_are_served(
    hub: Attacked, attack: Callable[[Attacked, RawStomp, contextlib.ExitStack], None]
) -> None:
    peak = 0
    with contextlib.ExitStack() as stack:
        attack(hub, stack.enter_context(hub.connect()), stack)
        peak = hub.grown
        # Whoever attacks, the hub is below its limit soon, and takes the message of somebody else.
        wait_for(lambda: hub.metric("hub_memory_bytes") < 0.8 * BUDGET, 15)
        peak = max(peak, hub.grown)
        wait_for(hub.accepts, 5)
        with hub.connect() as other:
            other.send("SUBSCRIBE\nid:o\ndestination:/topic/other\n\n^@SEND\ndestination:/topic/other\n\nhello^@")
            assert b"hello" == other.expect("MESSAGE").body
    print(f"{attack.__name__}: {peak / MIB:.0f} MiB, counted {hub.metric('hub_memory_bytes') / MIB:.0f}")  # noqa: T201
    assert peak < BUDGET + MARGIN
