"""Devices with a connection each, against a real Mosquitto: what the schedule does to a connection shows at the broker."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from device_sim.links.device_connection import Bounds
from device_sim.links.devices import DEVICE_BOUNDS, DeviceLink
from device_sim.links.identity import MqttIdentity, TlsFiles, parse_address
from device_sim.links.link import LinkEvents
from device_sim.message import LinkAction, LinkActionKind, Message, Will
from hub.clients.endpoint import Endpoint
from hub.clients.mqtt_client import MqttLogin
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_listener import listener
from tests.support.simulated import burst
from tests.support.waiting import wait_until

CONNECT, DISCONNECT, CUT, FREEZE = (
    LinkActionKind.CONNECT,
    LinkActionKind.DISCONNECT,
    LinkActionKind.CUT,
    LinkActionKind.FREEZE,
)


def act(link: DeviceLink, source: int, kind: LinkActionKind) -> None:
    will = Will(f"will/{source}", b"gone") if kind is CONNECT else None
    link.act(LinkAction(0.0, source, kind, will))


@asynccontextmanager
async def link_of(
    identities: list[MqttIdentity], *, bounds: Bounds = DEVICE_BOUNDS
) -> AsyncIterator[tuple[DeviceLink, list[Message]]]:
    """A link whose devices are not connected yet."""
    acknowledged: list[Message] = []
    events = LinkEvents(lambda messages, _: acknowledged.extend(messages), lambda: None)
    link = DeviceLink(dict(enumerate(identities)), events, bounds=bounds)
    await link.start()
    try:
        yield link, acknowledged
    finally:
        await link.close()


def identities(address: Endpoint, count: int = 1, *, version: int = 4, keepalive_s: int = 30) -> list[MqttIdentity]:
    return [
        MqttIdentity(address, MqttLogin(f"device-{number}", mqtt5=version == 5, keepalive_s=keepalive_s))
        for number in range(count)
    ]


@pytest.mark.parametrize("version", [4, 5])
async def test_each_device_has_its_own_connection_and_its_messages_are_acknowledged(
    mosquitto: Mosquitto, version: int
) -> None:
    sent = burst(60, 3)
    async with (
        listener(mosquitto.address, "devices/#") as received,
        link_of(identities(mosquitto.address, 3, version=version)) as (link, acknowledged),
    ):
        for source in range(3):
            act(link, source, CONNECT)
        await wait_until(lambda: link.counts.up == 3)
        link.send(sent)
        await wait_until(lambda: len(acknowledged) == 60 and len(received) == 60)
        assert link.counts.outstanding == 0

    for topic in {message.topic for message in sent}:
        assert [payload for at, payload in received if at == topic] == [m.payload for m in sent if m.topic == topic]


async def test_mqtt_5_says_that_nobody_is_subscribed_and_it_is_an_acknowledgement(
    mosquitto: Mosquitto,
) -> None:
    """PUBACK with reason 0x10 has 3 bytes and not 2 (MQTT 5, section 3.4.2.1)."""
    async with link_of(identities(mosquitto.address, version=5)) as (link, acknowledged):
        act(link, 0, CONNECT)
        link.send(burst(5, 1))
        await wait_until(lambda: len(acknowledged) == 5)


async def test_a_cut_fires_the_will_and_a_disconnect_does_not(mosquitto: Mosquitto) -> None:
    async with (
        listener(mosquitto.address, "will/#") as wills,
        link_of(identities(mosquitto.address, 2)) as (link, _),
    ):
        for source in range(2):
            act(link, source, CONNECT)
        await wait_until(lambda: link.counts.up == 2)
        act(link, 0, DISCONNECT)
        await wait_until(lambda: link.counts.up == 1)
        act(link, 1, CUT)
        await wait_until(lambda: wills)
        assert link.counts.up == 0

    assert wills == [("will/1", b"gone")]


async def test_a_frozen_connection_times_out_at_the_broker_and_an_idle_one_is_kept_alive(mosquitto: Mosquitto) -> None:
    """One test for both: Mosquitto looks for the silent every five seconds."""
    async with (
        listener(mosquitto.address, "will/#") as wills,
        link_of(identities(mosquitto.address, 2, keepalive_s=1)) as (link, acknowledged),
    ):
        act(link, 0, CONNECT)
        act(link, 1, CONNECT)
        await wait_until(lambda: link.counts.up == 2)
        act(link, 0, FREEZE)
        link.send(burst(1, 1))
        await wait_until(lambda: wills, 30)
        assert wills == [("will/0", b"gone")]
        assert link.counts.up == 1
        assert acknowledged == []

        act(link, 0, CONNECT)
        await wait_until(lambda: len(acknowledged) == 1)


async def test_what_a_device_could_not_send_it_sends_when_it_is_back(mosquitto: Mosquitto) -> None:
    sent = burst(30, 1)
    async with (
        listener(mosquitto.address, "devices/#") as received,
        link_of(identities(mosquitto.address)) as (link, acknowledged),
    ):
        act(link, 0, CONNECT)
        await wait_until(lambda: link.counts.up == 1)
        act(link, 0, CUT)
        link.send(sent)
        assert (link.counts.outstanding, link.awaited) == (30, 0)
        act(link, 0, CONNECT)
        await wait_until(lambda: len(acknowledged) == 30)

    assert [payload for _, payload in received] == [message.payload for message in sent]


async def test_a_full_device_drops_its_oldest_and_counts_them(mosquitto: Mosquitto) -> None:
    async with link_of(identities(mosquitto.address), bounds=Bounds(window=5, hold=4)) as (link, acknowledged):
        link.send(burst(10, 1))
        assert link.counts.given_up == {"device_full": 6}
        act(link, 0, CONNECT)
        await wait_until(lambda: len(acknowledged) == 4)

    assert [message.number for message in acknowledged] == [6, 7, 8, 9]


async def test_a_lost_broker_is_found_again_by_all_and_nothing_is_lost(mosquitto: Mosquitto) -> None:
    with capture_logs() as logged:
        async with link_of(identities(mosquitto.address, 20)) as (link, acknowledged):
            for source in range(20):
                act(link, source, CONNECT)
            await wait_until(lambda: link.counts.up == 20)
            mosquitto.kill()
            link.send(burst(100, 20))
            await wait_until(lambda: link.counts.up == 0)
            mosquitto.start()
            await wait_until(lambda: len(acknowledged) == 100)

    assert len(logged) < 20  # one voice, not one each
    assert sum(line["connections"] for line in logged) >= len(logged)


async def test_qos_0_is_sent_and_never_acknowledged(mosquitto: Mosquitto) -> None:
    async with (
        listener(mosquitto.address, "devices/#") as received,
        link_of(identities(mosquitto.address)) as (link, acknowledged),
    ):
        act(link, 0, CONNECT)
        await wait_until(lambda: link.counts.up == 1)
        link.send(burst(5, 1, qos=0))
        await wait_until(lambda: len(received) == 5)

        assert acknowledged == []
        assert (link.counts.outstanding, link.counts.given_up) == (0, {"qos_0": 5})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(tmp_path: Path, authority: trustme.CA) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker that speaks TLS, and the file of its authority."""
    pair = authority.issue_cert("localhost", "127.0.0.1")
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    files = f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.pem\n"
    with Mosquitto(tmp_path, scheme="mqtts", listener=files) as broker:
        yield broker, tmp_path / "ca.pem"


async def test_tls(secure: tuple[Mosquitto, Path]) -> None:
    broker, ca = secure
    address = parse_address(f"mqtts://localhost:{broker.port}", "mqtt", "--mqtt-url")
    identity = MqttIdentity(address, MqttLogin("device"), TlsFiles(ca))
    async with link_of([identity]) as (link, acknowledged):
        act(link, 0, CONNECT)
        link.send(burst(200, 1))
        await wait_until(lambda: len(acknowledged) == 200)


async def test_a_certificate_of_a_stranger_is_refused_with_the_reason(
    secure: tuple[Mosquitto, Path],
) -> None:
    broker, _ = secure
    address = parse_address(f"mqtts://localhost:{broker.port}", "mqtt", "--mqtt-url")
    with capture_logs() as logged:
        async with link_of([MqttIdentity(address, MqttLogin("device"))]) as (link, _):
            act(link, 0, CONNECT)
            await wait_until(lambda: logged)

    assert "certificate" in logged[0]["problem"]
