"""What a connection carries that was made again, packet by packet, at a broker that acknowledges nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from device_sim.ledger.reader import read_ledger
from device_sim.ledger.writer import LedgerWriter
from device_sim.links.device_connection import Bounds
from device_sim.links.devices import DEVICE_BOUNDS, DeviceLink
from device_sim.links.identity import MqttIdentity, StompIdentity, parse_address
from device_sim.links.link import LinkEvents
from device_sim.message import LinkAction, LinkActionKind, Message
from device_sim.run.identities import Targets
from device_sim.run.plan import RunPlan, ScenarioPlan, Share, SimplePlan
from device_sim.run.publisher import Publisher
from device_sim.schedule.fleet import Fleet
from hub.clients.endpoint import Endpoint
from hub.clients.mqtt_client import MqttLogin
from tests.support.scenarios import scenario
from tests.support.scripted_broker import ScriptedBroker
from tests.support.simulated import burst, now_us
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

WITHOUT_LEDGER = LedgerWriter(None)


def address_of(broker: ScriptedBroker) -> Endpoint:
    return parse_address(broker.url, "mqtt", "--mqtt-url")


@asynccontextmanager
async def running(plan: RunPlan, ledger: LedgerWriter, share: Share = (0, 1)) -> AsyncIterator[Publisher]:
    """The plan's share, publishing; nothing is waited for at the end, as nothing comes."""
    schedule = plan.prepare(share)
    publisher = Publisher(lambda events: plan.link(events, share), ledger, schedule=schedule)
    assert await publisher.start()
    start_us = now_us()
    publishing = asyncio.create_task(publisher.publish(schedule.events(start_us), start_us))
    try:
        yield publisher
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await publisher.close()


async def test_connections_that_a_fleet_shares_are_made_again_in_every_process(broker: ScriptedBroker) -> None:
    """They are nobody's: no device is asked for a will or births, least of all one that another process has."""
    plan = SimplePlan(Fleet(2, 100.0), address_of(broker), None)
    async with running(plan, WITHOUT_LEDGER, (1, 2)) as publisher:
        await wait_until(lambda: len(broker.packets) > 5)
        before = broker.connections
        broker.cut()
        await wait_until(lambda: broker.connections > before and bool(broker.packets))
        assert publisher.link.room > 0  # raises what a callback failed with


def born(number: int, *, birth: bool = True) -> Message:
    """A birth that says its number, or data."""
    return burst(1)[0]._replace(number=number, topic="t", payload=b"%d" % number, birth=birth)


@asynccontextmanager
async def device(
    identity: MqttIdentity | StompIdentity, *, births: Sequence[Message] = (), bounds: Bounds = DEVICE_BOUNDS
) -> AsyncIterator[DeviceLink]:
    """One device, not connected yet, that has `births` for each connection that nobody asked for."""
    link = DeviceLink({0: identity}, LinkEvents(lambda *_: None, lambda: None, births=lambda _: births), bounds=bounds)
    await link.start()
    try:
        yield link
    finally:
        link.act(LinkAction(0.0, 0, LinkActionKind.CUT))
        await link.close()


def connect(link: DeviceLink, *messages: Message) -> None:
    """Do what a schedule does."""
    link.act(LinkAction(0.0, 0, LinkActionKind.CONNECT))
    link.send(messages)


def published(broker: ScriptedBroker) -> list[tuple[bytes, bool]]:
    """The payloads that the present connection brought, and whether they were marked as repeats; the topic is `t`."""
    return [(body[5:], bool(first & 0x08)) for first, body in broker.packets if first >> 4 == 3]


async def test_births_that_a_new_birth_replaces_are_not_sent_again(broker: ScriptedBroker) -> None:
    async with device(MqttIdentity(address_of(broker), MqttLogin("a")), births=[born(2)]) as link:
        connect(link, born(0), born(1, birth=False))
        await wait_until(lambda: published(broker) == [(b"0", False), (b"1", False)])
        broker.cut()
        await wait_until(lambda: published(broker) == [(b"2", False), (b"1", True)])
        broker.cut()
        await wait_until(lambda: broker.connections == 3 and published(broker) == [(b"2", False), (b"1", True)])

        assert link.counts.given_up == {"replaced": 2}
        assert link.counts.outstanding == 2


async def test_births_come_before_what_is_sent_again_on_a_connection_that_was_asked_for(
    broker: ScriptedBroker,
) -> None:
    """Sparkplug data can be read only behind the births of their connection: the will has ended those before."""
    async with device(MqttIdentity(address_of(broker), MqttLogin("a"))) as link:
        connect(link, born(0), born(1, birth=False))
        await wait_until(lambda: len(published(broker)) == 2)
        link.act(LinkAction(0.0, 0, LinkActionKind.CUT))
        connect(link, born(2), born(3, birth=False))
        await wait_until(lambda: published(broker) == [(b"2", False), (b"1", True), (b"3", False)])

        assert link.counts.given_up == {"replaced": 1}


async def test_births_that_found_no_room_are_asked_for(broker: ScriptedBroker) -> None:
    identity = MqttIdentity(address_of(broker), MqttLogin("a"))
    async with device(identity, births=[born(9)], bounds=Bounds(window=5, hold=2)) as link:
        connect(link, born(0), born(1, birth=False), born(2, birth=False))
        await wait_until(lambda: published(broker) == [(b"9", False), (b"1", False), (b"2", False)])

        assert link.counts.given_up == {"device_full": 1}


async def test_a_birth_in_a_transaction_is_taken_out_of_it(sink: StompSink) -> None:
    sink.hold = True
    address = parse_address(sink.url, "ws", "--hub-url")
    async with device(StompIdentity(address), births=[born(3)]) as link:
        connect(link)
        await wait_until(lambda: link.counts.up == 1)
        link.send([born(0), born(1, birth=False), born(2, birth=False)])
        await wait_until(lambda: sink.bodies == [b"0", b"1", b"2"])
        sink.cut()
        await wait_until(lambda: sink.bodies[3:] == [b"3", b"1", b"2"])
        assert link.counts.given_up == {"replaced": 1}

        sink.release()
        await wait_until(lambda: link.counts.outstanding == 0)


async def test_a_sparkplug_node_has_one_birth_a_connection_and_the_ledger_says_which_stood(
    broker: ScriptedBroker, tmp_path: Path
) -> None:
    """A birth that was replaced is sent and not acknowledged: neither lost if it never arrived, nor a phantom if it did."""
    address = address_of(broker)
    wanted = scenario(
        format="sparkplug", count=1, rate=20.0, sensors={"temperature": {"kind": "temperature"}}, duration=60.0
    )
    path = tmp_path / "ledger"
    with LedgerWriter(path) as ledger:
        async with running(ScenarioPlan(wanted, 1, Targets(address, address, address)), ledger) as publisher:
            await wait_until(lambda: len(broker.packets) > 4)
            broker.cut()
            await wait_until(lambda: broker.connections == 2 and len(broker.packets) > 4)
            kinds = [body.split(b"/")[2] for _, body in broker.packets]
            assert publisher.link.counts.given_up == {"replaced": 2}

    assert kinds[:2] == [b"NBIRTH", b"DBIRTH"]
    assert set(kinds[2:]) == {b"DDATA"}
    entries = list(read_ledger(path))
    assert len(entries) == publisher.tally.messages
    assert not any(entry.acknowledged for entry in entries)
