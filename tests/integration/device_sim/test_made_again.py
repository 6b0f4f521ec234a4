"""What a connection carries that was made again, packet by packet, at a broker that acknowledges nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from device_sim.fleet import Fleet
from device_sim.ledger import LedgerWriter
from device_sim.links.address import Address, parse_address
from device_sim.publisher import Publisher
from device_sim.run.plan import Plan, Share, SimplePlan
from tests.support.scripted_broker import ScriptedBroker
from tests.support.simulated import now_us
from tests.support.waiting import wait_until

WITHOUT_LEDGER = LedgerWriter(None)


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    await scripted.start()
    yield scripted
    await scripted.stop()


def address_of(broker: ScriptedBroker) -> Address:
    return parse_address(broker.url, "mqtt", "--mqtt-url")


@asynccontextmanager
async def running(plan: Plan, ledger: LedgerWriter, share: Share = (0, 1)) -> AsyncIterator[Publisher]:
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
