"""What people set wrong on the broker's side, with a real Mosquitto: each is named, with a remedy that fits."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.bridge import Bridge
from bridge.observe import advice
from tests.support.certificates import Certificates
from tests.support.mosquitto import IN_MEMORY, Mosquitto
from tests.support.running_bridge import running, trying
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until


@pytest.fixture
def demanding(tmp_path: Path, certificates: Certificates) -> Iterator[Mosquitto]:
    """A broker with TLS that asks for a client certificate."""
    files = f"cafile {certificates['ca.pem']}\ncertfile {certificates['server.pem']}\n"
    files += f"keyfile {certificates['server.key']}\nrequire_certificate true\n"
    with Mosquitto(tmp_path / "demanding", scheme="mqtts", listener=files) as broker:
        yield broker


def detail(bridge: Bridge) -> str:
    return str(bridge.state()["mqtt"]["detail"])


async def remedy(url: str, sink: StompSink, says: str, **settings: object) -> str:
    """Return what is to be done about a broker that cannot be reached, once the reason `says` so."""
    async with trying(url, sink.url, **settings) as bridge:
        await wait_until(lambda: says in detail(bridge), 10)
        return advice.of(detail(bridge), advice.BROKER)


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
async def test_a_missing_client_certificate_is_named(
    demanding: Mosquitto, certificates: Certificates, sink: StompSink, version: str
) -> None:
    said = await remedy(
        demanding.url, sink, "certificate required", mqtt_ca_file=certificates["ca.pem"], mqtt_version=version
    )

    assert "mqtt_cert_file" in said


async def test_with_the_certificate_it_connects(
    demanding: Mosquitto, certificates: Certificates, sink: StompSink
) -> None:
    files = {name: certificates[file] for name, file in (("mqtt_ca_file", "ca.pem"), ("mqtt_cert_file", "client.pem"))}
    async with running(demanding.url, sink.url, **files, mqtt_key_file=certificates["client.key"]) as bridge:
        assert detail(bridge) == "connected and subscribed"


@pytest.mark.parametrize(
    ("scheme", "says", "todo"),
    [("mqtt", "without an answer to CONNECT", "mqtts://"), ("ws", "the WebSocket handshake", "wss://")],
)
async def test_a_port_with_tls_that_is_addressed_without_is_named(
    demanding: Mosquitto, sink: StompSink, scheme: str, says: str, todo: str
) -> None:
    assert todo in await remedy(f"{scheme}://127.0.0.1:{demanding.port}", sink, says)


@pytest.mark.parametrize(
    ("scheme", "says", "todo"),
    [
        ("mqtts", "the TLS handshake", "speaks no TLS"),
        ("wss", "the TLS handshake", "speaks no TLS"),
        ("ws", "the WebSocket handshake", "speaks no WebSocket"),
    ],
)
async def test_a_plain_port_that_is_addressed_as_another_is_named(
    mosquitto: Mosquitto, sink: StompSink, scheme: str, says: str, todo: str
) -> None:
    assert todo in await remedy(f"{scheme}://127.0.0.1:{mosquitto.port}", sink, says)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_two_bridges_with_one_client_id_are_named_and_neither_is_ready(
    mosquitto: Mosquitto, sink: StompSink, version: str
) -> None:
    with capture_logs() as logged:
        async with (
            trying(mosquitto.url, sink.url, mqtt_version=version) as one,
            trying(mosquitto.url, sink.url, mqtt_version=version) as other,
        ):
            await wait_until(lambda: all(advice.RIVAL in detail(bridge) for bridge in (one, other)), 20)
            assert not one.state()["mqtt"]["ok"]
            assert not other.state()["mqtt"]["ok"]
            before = len(logged)
            turns = one.registry.get_sample_value("bridge_last_error_timestamp_seconds", {"side": "mqtt"})
            await wait_until(
                lambda: one.registry.get_sample_value("bridge_last_error_timestamp_seconds", {"side": "mqtt"}) != turns
            )
            assert [line["event"] for line in logged[before:] if line["event"].startswith("mqtt")] == []

    assert "client_id" in {line["event"]: line for line in logged}["mqtt.lost"]["remedy"]


async def test_a_fight_is_forgotten_when_the_other_client_is_gone(
    mosquitto: Mosquitto, sink: StompSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.mqtt.link._FIGHT_S", 2.0)
    async with trying(mosquitto.url, sink.url) as bridge:
        async with trying(mosquitto.url, sink.url):
            await wait_until(lambda: advice.RIVAL in detail(bridge), 20)
        await wait_until(partial(lambda: detail(bridge) == "connected and subscribed"), 20)
        assert bridge.state()["mqtt"]["ok"]


async def test_a_broker_that_restarts_once_is_no_fight(mosquitto: Mosquitto, sink: StompSink) -> None:
    async with running(mosquitto.url, sink.url) as bridge:
        mosquitto.kill()
        await wait_until(lambda: not bridge.state()["mqtt"]["ok"])
        mosquitto.start()
        await wait_until(lambda: bool(bridge.state()["mqtt"]["ok"]), 20)

        assert advice.RIVAL not in detail(bridge)


async def test_what_waits_in_the_session_is_an_answer_while_the_suback_stands_behind_it(
    tmp_path: Path, sink: StompSink
) -> None:
    with Mosquitto(tmp_path, IN_MEMORY) as broker:
        async with running(broker.url, sink.url, mqtt_version="3.1.1"):
            pass  # the session is there
        await asyncio.to_thread(_fill, broker, 5_000)
        sink.hold = True  # the hub takes everything and says nothing for longer than the time limit
        settings = {
            "mqtt_version": "3.1.1",
            "connect_timeout_s": 1.0,
            "unacked_messages": 100,
            "transaction_messages": 50,
        }
        async with trying(broker.url, sink.url, **settings) as bridge:
            await wait_until(lambda: bridge.relay.full, 20)
            reports = len(sink.statuses)
            await wait_until(lambda: len(sink.statuses) >= reports + 3)  # one a second
            assert bridge.relay.epoch == 1
            sink.release()
            await wait_until(lambda: bridge.relay.counts.acknowledged == 5_000, 60)
            received = bridge.relay.counts.received
            epoch = bridge.relay.epoch

    assert (received, epoch) == (5_000, 1)


def _fill(broker: Mosquitto, count: int) -> None:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    publisher = paho.Client(CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1_000)
    publisher.connect("127.0.0.1", broker.port)
    publisher.loop_start()
    last = None
    for number in range(count):
        last = publisher.publish(f"devices/{number % 10}/telemetry", b"%d" % number + b" " * 1_000, 1)
    assert last is not None
    last.wait_for_publish(60)
    publisher.disconnect()
    publisher.loop_stop()
