"""A connection without sockets: who is held back while the store is full, and its timer."""

import asyncio
from collections.abc import Sequence

import pytest

from hub.access.logins import Logins
from hub.broker.broker import Broker, BrokerLimits
from hub.broker.publication import Arrival, Origin
from hub.broker.subscriber import SubscriberLimits
from hub.settings.limits import Limits
from hub.stomp.conversation import Shared
from hub.stomp.decoder import HeaderCache
from hub.stomp.encoder import Encoders
from hub.transports.connection import Connection
from hub.transports.services import Services
from tests.support.core import Wire
from tests.support.waiting import wait_until


class FullStore:
    """Takes what comes on topics below `devices/`, and is full."""

    full = True

    def __init__(self) -> None:
        self.durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.room = asyncio.Event()
        self.taken: list[str] = []

    async def wait_not_full(self) -> None:
        await self.room.wait()

    def tap(self, arrivals: Sequence[Arrival], origin: Origin) -> "Sequence[asyncio.Future[None]]":  # noqa: ARG002 - a Tap
        mine = [arrival.address.name for arrival in arrivals if arrival.address.name.startswith("devices/")]
        self.taken += mine
        return (self.durable,) if mine else ()


class OpenWire(Wire):
    """A peer that reads everything."""

    peer = "127.0.0.1"
    unsent = b""
    unread = 0


def services(store: FullStore | None, limits: Limits) -> Services:
    loop = asyncio.get_running_loop()
    broker = Broker(BrokerLimits(), "e", loop.time, lambda: None, lambda _: None)
    if store is not None:
        broker.taps.append(store.tap)
    shared = Shared(
        broker,
        loop.time,
        Logins({}),
        limits.for_session(),
        SubscriberLimits(),
        limits.for_deadlines(),
        HeaderCache(),
        Encoders("e"),
    )
    return Services(shared, limits, store)


def connected(made: Services) -> tuple[Connection, OpenWire]:
    wire = OpenWire()
    connection = Connection(made, wire)
    connection.receive(b"CONNECT\naccept-version:1.2\nhost:h\n\n\0")
    return connection, wire


@pytest.fixture
async def opened() -> tuple[Connection, FullStore, Services]:
    store = FullStore()
    made = services(store, Limits())
    return connected(made)[0], store, made


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


async def test_the_receipt_comes_when_the_store_says_that_it_is_durable() -> None:
    store = FullStore()
    store.full = False
    made = services(store, Limits())
    connection, wire = connected(made)
    connection.receive(b"SEND\ndestination:/topic/devices/a/telemetry\nreceipt:r\n\n1\0")
    assert (store.durable,) == connection.owed
    store.durable.set_result(None)

    def answered() -> bool:
        made.shared.broker.flush()
        return b"RECEIPT\nreceipt-id:r\n" in wire.data

    await wait_until(answered)
    connection.closed()


async def test_who_says_nothing_is_told_so_in_time() -> None:
    made = services(None, Limits(connect_s=0.05))
    wire = OpenWire()
    connection = Connection(made, wire)
    await wait_until(lambda: wire.closed is not None)
    assert b"message:Timeout\n" in wire.data
    assert {"Timeout": 1} == made.counters.errors
    connection.closed()


async def test_disconnect_holds_the_reader_until_its_receipt_is_out(
    opened: tuple[Connection, FullStore, Services],
) -> None:
    connection, store, _ = opened
    store.full = False
    connection.receive(b"SEND\ndestination:/topic/devices/a/telemetry\nreceipt:r\n\n1\0")
    waiting = connection.receive(b"DISCONNECT\nreceipt:bye\n\n\0")
    assert waiting is not None
    store.durable.set_result(None)
    await waiting
    connection.closed()
