"""The MQTT link against real brokers: every acknowledgement counted, nothing dropped when the broker goes away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from device_sim.ledger.reader import read_ledger
from device_sim.ledger.writer import LedgerWriter
from device_sim.links.identity import parse_address
from device_sim.links.link import LinkEvents
from device_sim.links.shared import SharedLink
from device_sim.message import Message
from device_sim.run.publisher import Publisher
from hub.clients.endpoint import Endpoint
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_listener import listener
from tests.support.simulated import burst, now_us, steady
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    broker = EmbeddedMqttBroker(tmp_path_factory.mktemp("nats"))
    yield parse_address(broker.start(), "mqtt", "--mqtt-url")
    broker.stop()


@asynccontextmanager
async def link_to(address: Endpoint, **bounds: Any) -> AsyncIterator[tuple[SharedLink, list[Message]]]:
    acknowledged: list[Message] = []
    events = LinkEvents(lambda messages, _: acknowledged.extend(messages), lambda: None)
    link = SharedLink(address, events, **{"sources": 10, **bounds})
    await link.start()
    try:
        yield link, acknowledged
    finally:
        await link.close()


async def test_every_message_is_acknowledged_once_and_a_device_keeps_its_order(nats: Endpoint) -> None:
    sent = burst(1_500)
    async with listener(nats, "devices/+/telemetry") as received, link_to(nats) as (link, acknowledged):
        link.send(sent)
        assert link.counts.outstanding == 1_500
        await wait_until(lambda: len(received) == 1_500 and link.counts.outstanding == 0)

    assert sorted(message.number for message in acknowledged) == list(range(1_500))
    for topic in {message.topic for message in sent}:
        assert [payload for at, payload in received if at == topic] == [m.payload for m in sent if m.topic == topic]


async def test_the_window_bounds_what_is_unacknowledged(mosquitto: Mosquitto) -> None:
    async with link_to(mosquitto.address, connections=1, window=50) as (link, acknowledged):
        assert link.room == 50
        link.send(burst(50))
        assert link.room == 0
        await wait_until(lambda: len(acknowledged) == 50)
        assert link.room == 50


async def test_what_a_killed_broker_never_acknowledged_is_sent_again(mosquitto: Mosquitto) -> None:
    sent = burst(200)
    async with link_to(mosquitto.address) as (link, acknowledged):
        mosquitto.kill()
        link.send(sent)
        await wait_until(lambda: link.room == 0)
        mosquitto.start()
        await wait_until(lambda: len(acknowledged) == 200)

    assert sorted(message.number for message in acknowledged) == list(range(200))


async def test_start_waits_for_a_broker_that_comes_later(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    link = SharedLink(broker.address, LinkEvents(lambda *_: None, lambda: None), sources=1)
    starting = asyncio.create_task(link.start())
    try:
        await asyncio.wait([starting], timeout=0.1)
        assert not starting.done()
        await asyncio.to_thread(broker.start)
        await asyncio.wait_for(starting, 10)
    finally:
        await link.close()
        broker.stop()


async def test_a_wrong_password_is_said_and_tried_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, "allow_anonymous false") as broker, capture_logs() as logged:
        address = parse_address(f"mqtt://fleet:wrong@127.0.0.1:{broker.port}", "mqtt", "--mqtt-url")
        link = SharedLink(address, LinkEvents(lambda *_: None, lambda: None), sources=1)
        starting = asyncio.create_task(link.start())
        try:
            await wait_until(lambda: len(logged) >= 2)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await link.close()

    assert {line["problem"] for line in logged} == {"the broker refuses the connection: Not authorized"}
    assert "wrong" not in str(logged)


def _has_sent(publisher: Publisher, messages: int) -> bool:
    return publisher.tally.messages >= messages


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Publisher]:
    def run(
        address: Endpoint, devices: int, rate: float, seconds: float, during: Sequence[Callable[[], None]] = ()
    ) -> Publisher:
        async def go() -> Publisher:
            with LedgerWriter(tmp_path / "ledger") as ledger:
                publisher = Publisher(lambda events: SharedLink(address, events, sources=devices), ledger)
                assert await publisher.start()
                publishing = asyncio.create_task(publisher.publish(steady(devices, rate, seconds), now_us(), seconds))
                for act in during:
                    reached = publisher.tally.messages + 200
                    await wait_until(partial(_has_sent, publisher, reached))
                    await asyncio.to_thread(act)
                await publishing
                await publisher.close()
                return publisher

        return asyncio.run(go())

    return run


def test_a_fleet_sends_5000_messages_a_second_and_its_ledger_agrees(
    nats: Endpoint, publish: Callable[..., Publisher], tmp_path: Path
) -> None:
    began = time.process_time()
    tally = publish(nats, 100, 5_000.0, 1.0).tally
    cpu_us = (time.process_time() - began) / tally.messages * 1e6

    entries = list(read_ledger(tmp_path / "ledger"))
    assert tally.messages == len(entries) > 2_500  # all 5,000 on a machine that is not busy otherwise
    assert tally.published == tally.acknowledged == 3 * tally.messages
    assert all(entry.acknowledged for entry in entries)
    assert cpu_us < 150, "the simulator would be what limits a load test"


def test_a_run_goes_on_through_two_deaths_of_the_broker(
    mosquitto: Mosquitto, publish: Callable[..., Publisher], tmp_path: Path
) -> None:
    def restart() -> None:
        mosquitto.kill()
        mosquitto.start()

    tally = publish(mosquitto.address, 20, 500.0, 2.0, [restart, restart]).tally

    assert tally.messages > 500
    assert tally.acknowledged == tally.published
    assert all(entry.acknowledged for entry in read_ledger(tmp_path / "ledger"))
