"""What a sender sees while a consumer has its message: no RECEIPT before the ACK, and an ERROR when none comes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hub.broker.broker import Broker, BrokerLimits
from hub.broker.publication import Framing
from hub.settings.limits import Limits
from hub.transports.broker_clock import BrokerClock
from hub.transports.connection import Connection
from hub.transports.services import Services
from hub.transports.tcp import no_framing
from tests.support.waiting import wait_until

TOPIC = "/topic/devices/press-7/commands"
SUBSCRIBE = f"SUBSCRIBE\nid:c\ndestination:{TOPIC}\nack:client-individual\nreceipt-after-ack:true\n\n\0"


class Wire:
    """A peer that reads everything."""

    peer, loopback, busy = "127.0.0.1", True, False

    def __init__(self) -> None:
        self.data = ""
        self.closed: tuple[int, str] | None = None

    def keep_alive(self) -> None:
        pass

    def framing(self) -> Framing:
        return no_framing

    def write(self, data: bytes) -> None:
        self.data += data.decode()

    def overflow(self) -> None:
        raise AssertionError("it reads everything")

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Peer:
    """A client of the hub."""

    def __init__(self, services: Services, *lines: str) -> None:
        self.services = services
        self.wire = Wire()
        self.connection = Connection(services, self.wire)
        self.send("CONNECT\naccept-version:1.2\nhost:h\n" + "".join(f"{line}\n" for line in lines) + "\n\0")
        self.wire.data = ""

    def send(self, text: str) -> Awaitable[None] | None:
        waiting = self.connection.receive(text.encode())
        self.services.broker.flush()
        return waiting

    def command(self, *lines: str) -> None:
        self.send(f"SEND\ndestination:{TOPIC}\n" + "".join(f"{line}\n" for line in lines) + "\ngo\0")

    def answer(self, command: str = "ACK", more: str = "") -> None:
        ack = self.wire.data.rpartition("\nack:")[2].partition("\n")[0]
        self.send(f"{command}\nid:{ack}\n{more}\n\0")

    async def gets(self, text: str) -> None:
        def got() -> bool:
            self.services.broker.flush()
            return text in self.wire.data

        await wait_until(got)


@pytest.fixture
async def services() -> Services:
    loop = asyncio.get_running_loop()
    broker = Broker(BrokerLimits(), loop.time, lambda: None)
    return Services(broker, BrokerClock(), Limits(confirm_s=0.2), {}, None)


async def test_the_receipt_comes_after_the_ack(services: Services) -> None:
    consumer, sender = Peer(services), Peer(services)
    consumer.send(SUBSCRIBE)
    sender.command("receipt:r")
    assert "" == sender.wire.data
    consumer.answer()
    await sender.gets("RECEIPT\nreceipt-id:r\n")


async def test_all_receipts_of_a_transaction_wait(services: Services) -> None:
    consumer, sender = Peer(services), Peer(services)
    consumer.send(SUBSCRIBE)
    sender.send("BEGIN\ntransaction:t\n\n\0")
    sender.command("transaction:t", "receipt:s")
    sender.send("COMMIT\ntransaction:t\nreceipt:c\n\n\0")
    assert "" == sender.wire.data
    consumer.answer()
    await sender.gets("RECEIPT\nreceipt-id:s\n\n\0RECEIPT\nreceipt-id:c\n\n\0")


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (lambda consumer: consumer.answer("NACK", "reason:no such device\n"), "no such device"),
        (lambda consumer: consumer.connection.closed(), "its consumer left before it acknowledged"),
        (lambda _consumer: None, "its consumer did not acknowledge within 0.2 s; it is unknown"),
    ],
)
async def test_without_an_ack_the_sender_gets_an_error(
    services: Services, end: Callable[[Peer], None], text: str
) -> None:
    consumer, sender = Peer(services), Peer(services)
    consumer.send(SUBSCRIBE)
    sender.command("receipt:r")
    end(consumer)
    await sender.gets(f"\n\n{text}")
    assert "ERROR\nmessage:Not confirmed\nreceipt-id:r\n" in sender.wire.data
    assert (1011, "Not confirmed") == sender.wire.closed


async def test_without_a_consumer_the_receipt_comes_at_once(services: Services) -> None:
    sender = Peer(services)
    sender.command("receipt:r")
    assert "RECEIPT\nreceipt-id:r\n\n\0" == sender.wire.data


async def test_who_wants_no_receipt_is_told_nothing(services: Services) -> None:
    consumer, sender = Peer(services), Peer(services)
    consumer.send(SUBSCRIBE)
    sender.command()
    consumer.answer("NACK")
    assert ("", None) == (sender.wire.data, sender.wire.closed)
    assert not services.broker.confirmations


async def test_what_a_bridge_sends_up_reaches_no_consumer(services: Services) -> None:
    consumer, watcher, bridge = Peer(services), Peer(services), Peer(services, "telemetry-bridge:line-1")
    consumer.send(SUBSCRIBE)
    watcher.send(SUBSCRIBE.replace("receipt-after-ack:true\n", ""))
    bridge.command("receipt:r")
    assert "" == consumer.wire.data
    assert "go" in watcher.wire.data
    assert "RECEIPT\nreceipt-id:r\n\n\0" == bridge.wire.data


async def test_disconnect_waits_for_the_consumer(services: Services) -> None:
    consumer, sender = Peer(services), Peer(services)
    consumer.send(SUBSCRIBE)
    sender.command("receipt:r")
    waiting = sender.send("DISCONNECT\nreceipt:bye\n\n\0")
    assert "" == sender.wire.data
    consumer.answer()
    assert waiting is not None
    await waiting
    await sender.gets("RECEIPT\nreceipt-id:r\n\n\0RECEIPT\nreceipt-id:bye\n\n\0")
