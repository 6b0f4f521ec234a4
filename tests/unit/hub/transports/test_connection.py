"""A connection without sockets: who is held back while the store is full, what of a failed COMMIT is stored."""

import asyncio
from collections.abc import Iterable

import pytest

from hub.broker.broker import Broker, BrokerLimits
from hub.broker.publication import Framing
from hub.broker.publisher import Arrival
from hub.broker.queues import QueueLimits
from hub.settings.limits import Limits
from hub.transports.broker_clock import BrokerClock
from hub.transports.connection import Connection
from hub.transports.services import Services
from hub.transports.tcp import no_framing


class FullStore:
    """Takes what comes on topics below `devices/`, and is full."""

    full = True

    def __init__(self) -> None:
        self.durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.room = asyncio.Event()
        self.taken: list[str] = []

    async def wait_not_full(self) -> None:
        await self.room.wait()

    def accept_all(
        self,
        arrivals: Iterable[Arrival],
        now_us: int,  # noqa: ARG002 - the signature of `Ingest`
        bridged: bool = False,  # noqa: ARG002
    ) -> dict[asyncio.Future[None], None]:
        mine = [topic for topic, *_ in arrivals if topic.startswith("devices/")]
        self.taken += mine
        return {self.durable: None} if mine else {}


class OpenWire:
    """A peer that reads everything."""

    peer, loopback, busy = "127.0.0.1", True, False

    def __init__(self) -> None:
        self.data = b""
        self.closed: tuple[int, str] | None = None

    def framing(self) -> Framing:
        return no_framing

    def keep_alive(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.data += data

    def overflow(self) -> None:
        raise AssertionError("it reads everything")

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


@pytest.fixture
async def opened() -> tuple[Connection, FullStore, Services]:
    loop = asyncio.get_running_loop()
    store = FullStore()
    broker = Broker(BrokerLimits(), loop.time, lambda: None)
    services = Services(broker, BrokerClock(), Limits(), {}, store)
    connection = Connection(services, OpenWire())
    connection.receive(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0")
    return connection, store, services


@pytest.mark.parametrize("receipt", ["", "receipt:r\n"])
async def test_who_sends_readings_is_held_back_with_and_without_receipts(
    opened: tuple[Connection, FullStore, Services], receipt: str
) -> None:
    connection, store, services = opened
    waiting = connection.receive(f"SEND\ndestination:/topic/devices/a/telemetry\n{receipt}\n1\0".encode())
    assert waiting is not None
    assert ["devices/a/telemetry"] == store.taken
    held = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    assert 1 == services.counters.publishers_paused

    store.full = False
    store.room.set()
    await held
    assert 0 == services.counters.publishers_paused
    connection.closed()


async def test_who_only_watches_is_not_held_back(opened: tuple[Connection, FullStore, Services]) -> None:
    connection, _, _ = opened
    for text in ("SUBSCRIBE\nid:s\ndestination:/topic/#\n\n\0", "SEND\ndestination:/topic/chat\n\nhello\0", "\n"):
        assert connection.receive(text.encode()) is None
    connection.closed()


async def test_who_is_gone_is_not_held_back_any_more(opened: tuple[Connection, FullStore, Services]) -> None:
    connection, _, services = opened
    waiting = connection.receive(b"SEND\ndestination:/topic/devices/a/telemetry\n\n1\0")
    assert waiting is not None
    held = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    held.cancel()
    await asyncio.wait((held,))
    connection.closed()
    assert 0 == services.counters.publishers_paused
    assert not services.connections


async def test_what_a_failed_commit_has_shown_is_stored() -> None:
    loop = asyncio.get_running_loop()
    store, wire = FullStore(), OpenWire()
    store.full = False
    limits = BrokerLimits(queues=QueueLimits(messages=1))
    services = Services(Broker(limits, loop.time, lambda: None), BrokerClock(), Limits(), {}, store)
    connection = Connection(services, wire)
    connection.receive(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0")
    destinations = ("/topic/devices/a/telemetry", "/queue/q", "/queue/q", "/topic/devices/b/telemetry")
    sends = "".join(f"SEND\ntransaction:t\ndestination:{destination}\n\n1\0" for destination in destinations)
    connection.receive(f"BEGIN\ntransaction:t\n\n\0{sends}COMMIT\ntransaction:t\nreceipt:c\n\n\0".encode())
    assert store.taken == ["devices/a/telemetry"]
    assert b"message:Queue full" in wire.data
    assert b"RECEIPT" not in wire.data
    assert wire.closed is not None
