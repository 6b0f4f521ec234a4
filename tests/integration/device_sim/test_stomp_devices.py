"""Devices and dashboards on our own STOMP session by the dozen, against the real hub, over TCP and WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device_sim.figures.intended import Intended
from device_sim.figures.results import DELIVERED, Recorder
from device_sim.ledger.writer import Acknowledgement, LedgerWriter
from device_sim.links.dashboard import Appetite, Dashboard, DashboardEvents
from device_sim.links.devices import DeviceLink
from device_sim.links.identity import StompIdentity, parse_address
from device_sim.links.link import LinkEvents
from device_sim.links.reactor import Reactor
from device_sim.message import LinkAction, LinkActionKind, Message
from device_sim.run.dashboards import Dashboards
from device_sim.run.publisher import Publisher
from tests.support.hub import RunningHub
from tests.support.ports import free_port
from tests.support.simulated import burst, now_us, steady
from tests.support.waiting import wait_until

DEVICES = 10


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with RunningHub(tmp_path / "data") as running:
        yield running


Identify = Callable[[RunningHub], StompIdentity]


def over_tcp(hub: RunningHub) -> StompIdentity:
    return StompIdentity(parse_address(f"stomp://127.0.0.1:{hub.stomp_port}", "stomp", "--stomp-url"))


def over_websocket(hub: RunningHub) -> StompIdentity:
    return StompIdentity(parse_address(hub.ws_url, "ws", "--hub-url"))


both = pytest.mark.parametrize("identify", [over_tcp, over_websocket])


@asynccontextmanager
async def devices(identity: StompIdentity) -> AsyncIterator[tuple[DeviceLink, list[Message]]]:
    acknowledged: list[Message] = []

    def take(messages: Sequence[Message], by: Acknowledgement) -> None:
        assert by is Acknowledgement.RECEIPT
        acknowledged.extend(messages)

    link = DeviceLink(dict.fromkeys(range(DEVICES), identity), LinkEvents(take, lambda: None))
    await link.start()
    for source in range(DEVICES):
        link.act(LinkAction(0.0, source, LinkActionKind.CONNECT))
    await wait_until(lambda: link.counts.up == DEVICES)
    try:
        yield link, acknowledged
    finally:
        await link.close()


class Viewers:
    """Dashboards of a test, with what each was shown."""

    def __init__(self, identity: StompIdentity, appetites: list[Appetite]) -> None:
        self.reactor = Reactor()
        self.shown: list[list[bytes]] = [[] for _ in appetites]
        self.subscribed: set[Dashboard] = set()
        self.members = []
        for appetite, shown in zip(appetites, self.shown, strict=True):
            events = DashboardEvents(shown.extend, self.subscribed.add, lambda *_: None)
            self.members.append(Dashboard(identity, appetite, self.reactor, events))

    async def start(self) -> None:
        self.reactor.start()
        for member in self.members:
            await self.reactor.resolve(member.address)
            member.connect()
        await wait_until(lambda: len(self.subscribed) == len(self.members))

    def close(self) -> None:
        for member in self.members:
            member.cut()
        self.reactor.close()


@both
async def test_each_message_gets_its_receipt_and_a_dashboard_is_shown_it(hub: RunningHub, identify: Identify) -> None:
    identity = identify(hub)
    viewers = Viewers(identity, [Appetite(("/topic/devices/#",))])
    await viewers.start()
    sent = burst(200, DEVICES)
    async with devices(identity) as (link, acknowledged):
        for message in sent[:100]:
            link.send([message])
        link.send(sorted(sent[100:], key=lambda message: message.source))  # several of a device: a transaction
        await wait_until(lambda: len(acknowledged) == 200 and len(viewers.shown[0]) == 200)
        assert link.counts.outstanding == 0
    viewers.close()

    bodies = sorted(one[one.find(b"\n\n") + 2 :] for one in viewers.shown[0])
    assert bodies == sorted(message.payload for message in sent)


@both
async def test_what_has_no_receipt_is_sent_again_when_the_hub_is_back(hub: RunningHub, identify: Identify) -> None:
    async with devices(identify(hub)) as (link, acknowledged):
        await asyncio.to_thread(hub.stop)
        link.send(burst(100, DEVICES))
        await wait_until(lambda: link.counts.up == 0)
        await asyncio.to_thread(hub.start)
        await wait_until(lambda: len(acknowledged) == 100)


async def test_a_slow_dashboard_reads_as_told_and_a_stalled_one_not_at_all(hub: RunningHub) -> None:
    appetites = [
        Appetite(("/topic/devices/#",)),
        Appetite(("/topic/devices/#",), "slow", bytes_per_s=4_000.0),
        Appetite(("/topic/devices/#",), "stalled"),
    ]
    identity = over_websocket(hub)
    viewers = Viewers(identity, appetites)
    await viewers.start()
    async with devices(identity) as (link, acknowledged):
        link.send(burst(1_000, DEVICES))
        await wait_until(lambda: len(acknowledged) == 1_000 and len(viewers.shown[0]) == 1_000)
        fast, slow, stalled = (len(shown) for shown in viewers.shown)
        await wait_until(lambda: len(viewers.shown[1]) > slow)
    viewers.close()

    assert fast == 1_000
    assert 0 < slow < 500
    assert stalled == 0


async def test_max_rate_is_asked_for(hub: RunningHub) -> None:
    appetites = [Appetite(("/topic/devices/#",), headers=(("max-rate", "1"),)), Appetite(("/topic/devices/#",))]
    identity = over_tcp(hub)
    viewers = Viewers(identity, appetites)
    await viewers.start()
    async with devices(identity) as (link, _):
        link.send(burst(500, DEVICES))
        await wait_until(lambda: len(viewers.shown[1]) == 500)
    viewers.close()

    assert len(viewers.shown[0]) <= 3 * DEVICES


@both
async def test_the_audience_measures_from_the_intended_time_to_the_dashboard(
    hub: RunningHub, identify: Identify
) -> None:
    identity = identify(hub)
    recorder, intended = Recorder("test", 0, 0), Intended()
    publisher = Publisher(
        lambda events: DeviceLink(dict.fromkeys(range(DEVICES), identity), events),
        LedgerWriter(None),
        recorder,
        intended,
    )
    audience = Dashboards(recorder, publisher, intended)
    audience.add(identity, Appetite(), 0.0)
    audience.add(identity, Appetite(), 0.2)
    await audience.start()
    assert audience.up == 1
    assert await publisher.start()
    audience.begin()
    connects = [LinkAction(0.0, source, LinkActionKind.CONNECT) for source in range(DEVICES)]
    # Stamped with the current time: the hub refuses what is too far from it.
    start_us = now_us() // 1_000 * 1_000
    current = [_moved(message, start_us) for message in steady(DEVICES, 200.0, 1.0)]
    await publisher.publish(iter([*connects, *current]), start_us)
    await wait_until(lambda: recorder.delivered >= 3 * 200 + 3)
    assert audience.up == 2
    audience.check()
    await publisher.close()
    await audience.close()

    delivered = recorder.latencies[DELIVERED]
    assert delivered.count >= 600
    assert 0 < delivered.percentile_s(50.0) < 2.0


@both
async def test_the_audience_waits_for_each_of_its_dashboards_and_not_twice_for_one(
    hub: RunningHub, identify: Identify
) -> None:
    identity = identify(hub)
    absent = replace(identity.address, port=free_port())
    recorder, intended = Recorder("test", 0, 0), Intended()
    publisher = Publisher(lambda events: DeviceLink({}, events), LedgerWriter(None), recorder, intended)
    audience = Dashboards(recorder, publisher, intended)
    audience.add(identity, Appetite(), 0.0)
    audience.add(identity._replace(address=absent), Appetite(), 0.0)
    start = asyncio.create_task(audience.start())
    try:
        for _ in range(2):
            await wait_until(lambda: hub.look(lambda app: app.broker.subscriptions) == 1)
            await asyncio.to_thread(hub.restart)
        await wait_until(lambda: hub.look(lambda app: app.broker.subscriptions) == 1)
        assert not start.done()
    finally:
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await audience.close()


def _moved(message: Message, start_us: int) -> Message:
    time_us = start_us + round(message.due_s * 1_000) * 1_000
    return message._replace(time_us=time_us, payload=b'{"ts":%d,"a":1,"b":2,"c":3}' % (time_us // 1_000))
