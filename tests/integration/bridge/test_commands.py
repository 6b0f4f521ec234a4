"""Commands: from a stomp.py client through the real hub and a bridge to MQTT devices, and what their sender is told."""

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.hub import RunningHub
from tests.support.mosquitto import Mosquitto
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker
from tests.support.stomp_py import StompPy
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
TOPIC = "devices/press-7/commands"
NCMD = "spBv1.0/plant/NCMD/edge-1"
ALL_BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("hub")) as running_hub:
        yield running_hub


@pytest.fixture
def sender(hub: RunningHub) -> Iterator[StompPy]:
    with StompPy(hub, "websocket").connect() as client:
        yield client


class Device:
    """An MQTT client with what it got: topic, payload, content type."""

    def __init__(self, url: str, *filters: str, mqtt5: bool) -> None:
        self.got: list[tuple[str, bytes, str | None]] = []
        self._subscribed = threading.Event()
        version = MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="device", protocol=version)
        self._client.on_message = lambda _client, _data, message: self.got.append(
            (message.topic, bytes(message.payload), getattr(message.properties, "ContentType", None))
        )
        self._client.on_subscribe = lambda *_arguments: self._subscribed.set()
        host, port = url.removeprefix("mqtt://").split(":")
        self._client.connect(host, int(port))
        self._client.subscribe([(text, 1) for text in filters])

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1)


def published(broker: ScriptedBroker) -> list[tuple[int, bytes, int, bytes]]:
    """Return the PUBLISHes that it got on this connection: first byte, topic, packet id, payload."""
    found = []
    for first, body in list(broker.packets):
        if first >> 4 == 3:
            end = 2 + int.from_bytes(body[:2], "big")
            found.append((first, body[2:end], int.from_bytes(body[end : end + 2], "big"), body[end + 2 :]))
    return found


def puback(mid: int) -> bytes:
    return b"\x40\x02" + mid.to_bytes(2, "big")


@pytest.mark.parametrize("name", ["nats", "mosquitto"])
async def test_a_command_arrives_and_is_receipted_and_nothing_loops(
    hub: RunningHub, sender: StompPy, name: str, request: pytest.FixtureRequest
) -> None:
    real: EmbeddedMqttBroker | Mosquitto = request.getfixturevalue(name)
    sender.subscribe("/topic/#", key="watcher")
    with Device(real.url, TOPIC, NCMD, "cmnd/t1/+", mqtt5=name == "mosquitto") as device:
        async with running(real.url, hub.ws_url, filters=("#",)) as bridge:
            sender.send(f"/topic/{TOPIC}", '{"open":true}', receipt="1", content_type="application/json")
            sender.send(f"/topic/{NCMD}", ALL_BYTES, receipt="2")
            # Two of the default filters match this one.
            sender.send("/topic/cmnd/t1/commands", b"once", receipt="3")
            await wait_until(lambda: {"1", "2", "3"} <= set(sender.heard.receipts))
            await wait_until(lambda: len(device.got) >= 3)
            device.publish(TOPIC, b"of another controller")
            device.publish("devices/press-7/telemetry", b"1")
            # Our own three came back to us as well.
            await wait_until(lambda: bridge.relay.counts.dropped["command"] == 4)
            await wait_until(lambda: any(m.body == b"1" for m in sender.heard.messages))
            counts = bridge.commands.counts

    content_type = "application/json" if name == "mosquitto" else None
    # By topic: MQTT orders the messages of one topic only (MQTT 5, 4.6), and NATS delivers each subscription by itself.
    assert {topic: (payload, kind) for topic, payload, kind in device.got[:3]} == {
        TOPIC: (b'{"open":true}', content_type),
        NCMD: (ALL_BYTES, None),
        "cmnd/t1/commands": (b"once", None),
    }
    watched = [m.body for m in sender.heard.messages if not m.headers["destination"].startswith("/topic/readings/")]
    assert watched == [b'{"open":true}', ALL_BYTES, b"once", b"1"]
    assert (counts.received, counts.published, counts.acknowledged, counts.refused) == (3, 3, 3, 0)
    assert sender.heard.errors == []


async def test_the_receipt_waits_for_the_puback_and_stomp_devices_do_not(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    sender.subscribe("/topic/+/+/commands")  # a device that speaks STOMP itself
    async with running(broker.url, hub.ws_url):
        sender.send(f"/topic/{TOPIC}", b"one", receipt="1")
        sender.send(f"/topic/{TOPIC}", b"two", receipt="2")
        await wait_until(lambda: len(published(broker)) == 2)
        await wait_until(lambda: len(sender.heard.messages) == 2)
        sender.send("/topic/elsewhere", b"", receipt="ordinary")
        await wait_until(lambda: "ordinary" in sender.heard.receipts)

        assert {"1", "2"}.isdisjoint(sender.heard.receipts)
        broker.send(puback(published(broker)[0][2]))
        await wait_until(lambda: "1" in sender.heard.receipts)
        assert "2" not in sender.heard.receipts
        broker.send(puback(published(broker)[1][2]))
        await wait_until(lambda: "2" in sender.heard.receipts)

    assert [(first, topic, payload) for first, topic, _, payload in published(broker)] == [
        (0x32, TOPIC.encode(), b"one"),
        (0x32, TOPIC.encode(), b"two"),
    ]


async def test_a_commands_transaction_is_receipted_as_a_whole(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    async with running(broker.url, hub.ws_url):
        transaction = sender.begin()
        sender.send(f"/topic/{TOPIC}", b"one", transaction=transaction)
        sender.send(f"/topic/{TOPIC}", b"two", transaction=transaction)
        sender.commit(transaction, "c")
        await wait_until(lambda: len(published(broker)) == 2)
        one, two = (mid for _, _, mid, _ in published(broker))
        broker.send(puback(two))
        broker.send(puback(one))
        await wait_until(lambda: "c" in sender.heard.receipts)


async def test_a_command_survives_the_brokers_absence(hub: RunningHub, sender: StompPy, broker: ScriptedBroker) -> None:
    async with running(broker.url, hub.ws_url) as bridge:
        sender.send(f"/topic/{TOPIC}", b"before", receipt="1")
        await wait_until(lambda: len(published(broker)) == 1)
        (mid,) = (mid for _, _, mid, _ in published(broker))
        await broker.stop()
        sender.send(f"/topic/{TOPIC}", b"meanwhile", receipt="2")
        await wait_until(lambda: len(bridge.commands) == 2)
        await broker.start()
        await wait_until(lambda: len(published(broker)) == 2)
        again, new = published(broker)
        broker.send(puback(again[2]) + puback(new[2]))
        await wait_until(lambda: {"1", "2"} <= set(sender.heard.receipts))

    assert (again[0], again[2], again[3]) == (0x3A, mid, b"before")
    # DUP if the bridge had not noticed the loss yet when it wrote the second one.
    assert (new[0] | 0x08, new[3]) == (0x3A, b"meanwhile")
    assert mid != new[2]


async def test_a_bridge_that_dies_with_a_command_leaves_its_sender_an_error(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "run", "--health-port", "0"),
        *("--mqtt-url", broker.url, "--hub-url", hub.ws_url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            await process.stdout.readline()
        sender.send(f"/topic/{TOPIC}", b"go", receipt="1")
        await wait_until(lambda: len(published(broker)) == 1)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    await wait_until(lambda: sender.heard.errors)

    (error,) = sender.heard.errors
    assert (error.headers["message"], error.headers["receipt-id"]) == ("Not confirmed", "1")
    assert error.body.endswith(b"it is unknown whether the message arrived")


async def test_what_cannot_be_published_is_refused_with_its_reason_and_does_not_block(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    async with running(broker.url, hub.ws_url, message_bytes=1000):
        with StompPy(hub, "1.2").connect() as other:
            sender.send(f"/topic/{TOPIC}", b"x" * 1001, receipt="1")
            other.send(f"/topic/{TOPIC}", b"small", receipt="2")
            await wait_until(lambda: len(published(broker)) == 1)
            broker.send(puback(published(broker)[0][2]))
            await wait_until(lambda: sender.heard.errors)
            await wait_until(lambda: "2" in other.heard.receipts)

    assert sender.heard.errors[0].body == b"the payload has 1001 bytes, and message_bytes is 1000"


async def test_a_command_that_the_broker_never_acknowledges_does_not_block_for_ever(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    async with running(broker.url, hub.ws_url, receipt_timeout_s=0.1) as bridge:
        sender.send(f"/topic/{TOPIC}", b"go", receipt="1")
        await wait_until(lambda: sender.heard.errors)
        assert bridge.commands.counts.refused == 1

    assert sender.heard.errors[0].body.startswith(b"the broker's connection was lost 3 times")


async def test_without_command_filters_nothing_goes_down(
    hub: RunningHub, sender: StompPy, broker: ScriptedBroker
) -> None:
    async with running(broker.url, hub.ws_url, commands=()):
        sender.send(f"/topic/{TOPIC}", b"go", receipt="1")
        await wait_until(lambda: "1" in sender.heard.receipts)
        assert hub.look(lambda app: len(app.broker.confirmations)) == 0

    assert published(broker) == []


async def test_a_hub_that_stops_tells_who_waits(tmp_path: Path, broker: ScriptedBroker) -> None:
    with RunningHub(tmp_path) as stopping:
        async with running(broker.url, stopping.ws_url):
            client = StompPy(stopping, "1.2").connect()
            client.send(f"/topic/{TOPIC}", b"go", receipt="1")
            await wait_until(lambda: len(published(broker)) == 1)
            await asyncio.to_thread(stopping.stop)
            await wait_until(lambda: client.heard.errors)
            await wait_until(client.heard.disconnected.is_set)

    assert client.heard.errors[0].headers["message"] == "Not confirmed"
    assert client.heard.errors[0].body.startswith(b"the hub is shutting down")
