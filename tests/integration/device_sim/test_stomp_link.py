"""The STOMP link over real WebSockets: a receipt acknowledges its burst, and nothing is dropped when the hub goes away."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trustme
from structlog.testing import capture_logs

from device_sim.ledger.writer import LedgerWriter
from device_sim.links.identity import TlsFiles, parse_address
from device_sim.links.link import LinkEvents
from device_sim.links.shared import SharedLink
from device_sim.message import Message
from device_sim.run.publisher import Publisher
from hub.clients.endpoint import Endpoint
from tests.support.simulated import burst, now_us, steady
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until


def address_of(sink: StompSink) -> Endpoint:
    return parse_address(sink.url, "ws", "--hub-url")


@asynccontextmanager
async def link_to(address: Endpoint, **bounds: Any) -> AsyncIterator[tuple[SharedLink, list[Message]]]:
    acknowledged: list[Message] = []
    link = SharedLink(
        address,
        LinkEvents(lambda messages, _: acknowledged.extend(messages), lambda: None),
        **{"sources": 10, **bounds},
    )
    await asyncio.wait_for(link.start(), 10)
    try:
        yield link, acknowledged
    finally:
        await link.close()


async def test_receipts_acknowledge_each_message_once_and_a_device_keeps_its_order(sink: StompSink) -> None:
    sent = burst(1_000)
    async with link_to(address_of(sink)) as (link, acknowledged):
        link.send(sent)
        await wait_until(lambda: len(acknowledged) == 1_000)
        assert link.counts.outstanding == 0

    assert sorted(message.number for message in acknowledged) == list(range(1_000))
    for topic in {message.topic for message in sent}:
        taken = [frame.body for frame in sink.taken if frame.headers["destination"] == f"/topic/{topic}"]
        assert taken == [message.payload for message in sent if message.topic == topic]


async def test_a_burst_is_one_web_socket_message_and_one_transaction(sink: StompSink) -> None:
    async with link_to(address_of(sink), connections=1) as (link, acknowledged):
        before = sink.web_socket_messages
        link.send(burst(250))
        await wait_until(lambda: len(acknowledged) == 250)

        assert (sink.web_socket_messages - before, sink.transactions) == (1, 1)


async def test_nothing_is_acknowledged_and_the_window_stays_shut_before_the_receipt(sink: StompSink) -> None:
    sink.hold = True
    async with link_to(address_of(sink), connections=1, window=100) as (link, acknowledged):
        link.send(burst(100))
        await wait_until(lambda: sink.count == 100)
        assert (acknowledged, link.room, link.counts.outstanding) == ([], 0, 100)

        sink.release()
        await wait_until(lambda: len(acknowledged) == 100)
        assert link.room == 100


async def test_bursts_without_a_receipt_are_sent_again_in_order_on_the_next_connection(sink: StompSink) -> None:
    sent = burst(600)
    sink.hold = True
    async with link_to(address_of(sink), connections=1) as (link, acknowledged):
        link.send(sent)
        await wait_until(lambda: sink.count == 600)
        sink.cut()
        sink.hold = False
        await wait_until(lambda: len(acknowledged) == 600)

    assert sink.bodies == [message.payload for message in sent] * 2
    assert [message.number for message in acknowledged] == list(range(600))


async def test_start_waits_for_a_hub_that_comes_later(sink: StompSink) -> None:
    address = address_of(sink)
    await sink.stop()
    link = SharedLink(address, LinkEvents(lambda *_: None, lambda: None), sources=1)
    starting = asyncio.create_task(link.start())
    try:
        await asyncio.wait([starting], timeout=0.2)
        assert not starting.done()
        sink.start()
        await asyncio.wait_for(starting, 10)
    finally:
        await link.close()


async def test_a_fleet_goes_on_through_cuts_and_everything_is_acknowledged(sink: StompSink) -> None:
    with LedgerWriter(None) as ledger:
        publisher = Publisher(lambda events: SharedLink(address_of(sink), events, sources=20), ledger)
        assert await publisher.start()
        publishing = asyncio.create_task(publisher.publish(steady(20, 1_000.0, 3.0), now_us(), 3.0))
        for reached in (300, 600):
            await wait_until(lambda reached=reached: publisher.tally.messages >= reached)  # type: ignore[misc]
            sink.cut()
        await publishing
        await publisher.close()

    tally = publisher.tally
    assert tally.messages > 1_000
    assert tally.acknowledged == tally.published == 3 * tally.messages


async def test_credentials_go_into_the_connect_frame(sink: StompSink) -> None:
    address = parse_address(sink.url.replace("ws://", "ws://fleet:s%40crt@"), "ws", "--hub-url")
    async with link_to(address, sources=1):
        [connect] = sink.connects

    assert (connect["login"], connect["passcode"]) == ("fleet", "s@crt")


async def test_wss_is_encrypted_and_checks_the_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with StompSink(ssl_context=context) as sink:
        address = parse_address(f"wss://localhost:{sink.port}/ws", "ws", "--hub-url")
        link = SharedLink(
            address, LinkEvents(lambda *_: None, lambda: None), sources=1, tls=TlsFiles(tmp_path / "ca.pem")
        )
        stranger = SharedLink(address, LinkEvents(lambda *_: None, lambda: None), sources=1)
        try:
            await asyncio.wait_for(link.start(), 10)
            with capture_logs() as logged:
                trusting = asyncio.create_task(stranger.start())
                await wait_until(lambda: logged)
                trusting.cancel()
                await asyncio.gather(trusting, return_exceptions=True)
        finally:
            await link.close()
            await stranger.close()

    assert len(sink.connects) == 1
