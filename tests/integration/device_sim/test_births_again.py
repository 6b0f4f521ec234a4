"""A broker is restarted: devices announce themselves on the connections that they make again, as they did at first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from device_sim.ledger.reader import read_ledger
from device_sim.ledger.writer import LedgerWriter
from device_sim.links.identity import parse_address
from device_sim.run.identities import Targets
from device_sim.run.plan import ScenarioPlan
from device_sim.run.publisher import Publisher
from device_sim.scenario.model import Scenario
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_listener import listener
from tests.support.proxy import FaultProxy, fault_proxy
from tests.support.scenarios import scenario
from tests.support.simulated import now_us
from tests.support.waiting import wait_until

Received = list[tuple[str, bytes]]


def one_device(form: str, metric: str) -> Scenario:
    return scenario(
        format=form, count=1, id="a-{number}", rate=20.0, sensors={metric: {"kind": "temperature"}}, duration=60.0
    )


@asynccontextmanager
async def running(wanted: Scenario, proxy: FaultProxy, ledger: LedgerWriter) -> AsyncIterator[Publisher]:
    """The scenario, sent through the proxy."""
    address = parse_address(f"mqtt://127.0.0.1:{proxy.port}", "mqtt", "--mqtt-url")
    plan = ScenarioPlan(wanted, 1, Targets(address, address, address))
    schedule = plan.prepare((0, 1))
    publisher = Publisher(lambda events: plan.link(events, (0, 1)), ledger, schedule=schedule)
    assert await publisher.start()
    start_us = now_us()
    publishing = asyncio.create_task(publisher.publish(schedule.events(start_us), start_us))
    try:
        yield publisher
    finally:
        publisher.stop()
        await publishing
        await publisher.close()


async def restart(mosquitto: Mosquitto, proxy: FaultProxy) -> None:
    """Kill the broker and start it again, where devices cannot reach it yet."""
    await proxy.refuse()
    await asyncio.to_thread(mosquitto.kill)
    await asyncio.to_thread(mosquitto.start)


@pytest.mark.parametrize(
    ("form", "metric", "first"),
    [
        ("tasmota", "SI7021.Temperature", [("tele/a-0/LWT", b"Online")]),
        ("esphome", "sensor.temperature", [("a-0/status", b"online")]),
        ("homie", "air.temperature", [("homie/5/a-0/$state", b"init"), ("homie/5/a-0/$description", None)]),
        ("sparkplug", "temperature", [("spBv1.0/plant/NBIRTH/a-0", None), ("spBv1.0/plant/DBIRTH/a-0/io", None)]),
    ],
)
async def test_births_come_again_and_before_everything_else(
    mosquitto: Mosquitto, form: str, metric: str, first: list[tuple[str, bytes | None]]
) -> None:
    rate = 1.0 if form == "tasmota" else 20.0
    wanted = one_device(form, metric)
    wanted = wanted.model_copy(update={"classes": (wanted.classes[0].model_copy(update={"rate": rate}),)})
    async with fault_proxy(mosquitto.port) as proxy, running(wanted, proxy, LedgerWriter(None)) as publisher:
        await wait_until(lambda: publisher.tally.acknowledged > 0)
        await restart(mosquitto, proxy)
        async with listener(mosquitto.address) as received:
            await proxy.start()
            await wait_until(lambda: len(received) > len(first))

    for (topic, payload), (wanted_topic, wanted_payload) in zip(received, first, strict=False):
        assert topic == wanted_topic
        assert wanted_payload in {None, payload}


async def test_the_will_belongs_to_the_connection_that_was_made_again(mosquitto: Mosquitto) -> None:
    """Sparkplug: NDEATH has the bdSeq of the NBIRTH of its own connection, which each connection has anew."""
    wanted = one_device("sparkplug", "temperature")
    async with fault_proxy(mosquitto.port) as proxy, running(wanted, proxy, LedgerWriter(None)) as publisher:
        await wait_until(lambda: publisher.tally.acknowledged > 0)
        async with listener(mosquitto.address) as received:
            for _ in range(3):
                await one_more("NBIRTH", received, proxy.cut())
            await proxy.cut()
            await wait_until(lambda: len(of("NDEATH", received)) == 4)

    births, wills = of("NBIRTH", received), of("NDEATH", received)
    assert len(set(wills)) == 4
    for will, birth in zip(wills[1:], births, strict=False):
        assert will in birth  # the bdSeq metric, the same bytes


async def test_readings_of_births_are_in_the_ledger(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """What is stored of a birth that no schedule foresaw is no phantom."""
    path = tmp_path / "ledger"
    with LedgerWriter(path) as ledger:
        async with fault_proxy(mosquitto.port) as proxy, listener(mosquitto.address, "spBv1.0/+/+/a-0/io") as received:
            async with running(one_device("sparkplug", "temperature"), proxy, ledger) as publisher:
                await wait_until(lambda: publisher.tally.acknowledged > 5)
                await proxy.cut()
                await wait_until(lambda: len(of("DBIRTH", received)) == 2)
                acknowledged = publisher.tally.acknowledged
                await wait_until(lambda: publisher.tally.acknowledged > acknowledged)
            entries = [entry for entry in read_ledger(path) if entry.metrics]
            await wait_until(lambda: len({payload for _, payload in received}) == len(entries))

    assert len({entry.time_us for entry in entries}) == len(entries)
    assert all(entry.acknowledged for entry in entries)


async def one_more(kind: str, received: Received, act: Awaitable[None]) -> None:
    """Wait for another message of a kind after an act."""
    before = len(of(kind, received))
    await act
    await wait_until(lambda: len(of(kind, received)) > before)


def of(kind: str, received: Received) -> list[bytes]:
    return [payload for topic, payload in received if f"/{kind}/" in topic]
