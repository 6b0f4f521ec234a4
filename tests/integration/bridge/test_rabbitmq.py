"""RabbitMQ as docs/how-to/connect-your-broker.md sets it up: what the page says of it, against the real one.

`make soak` runs them and installs the program: a node takes 10 s and 150 MiB to show what few users need. `test_brokers.py`
holds the same of Mosquitto and NATS.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt import client as paho
from paho.mqtt import publish as mqtt_publish
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import rabbitmq
from tests.support.hub import RunningHub
from tests.support.mosquitto import PAGE
from tests.support.programs import missing
from tests.support.running_bridge import running
from tests.support.stomp_py import StompPy
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.minutes
MQTT_5_SINCE = (3, 13)


def page_settings() -> str:
    """Return the page's rabbitmq.conf, for the version that is installed."""
    block = re.search(r"^```ini\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    if rabbitmq.version() >= MQTT_5_SINCE:
        return block[1]
    # What 3.13 calls it is an error for those before.
    older = re.search(r"mqtt\.subscription_ttl = \d+", block[1])
    assert older is not None
    return re.sub(r"^mqtt\.max_session_expiry_interval_seconds = .*$", older[0], block[1], flags=re.MULTILINE)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not rabbitmq.PROGRAM.exists():
        raise missing("needs RabbitMQ; on Debian and Ubuntu: apt-get install rabbitmq-server")
    settings = f"mqtt.listeners.tcp.1 = 127.0.0.1:{{port}}\n{page_settings()}"
    with rabbitmq.rabbitmq(tmp_path_factory.mktemp("rabbitmq"), "rabbitmq_mqtt", settings) as node:
        yield f"mqtt://guest:guest@127.0.0.1:{node.port}"


async def publish(url: str, *messages: tuple[str, bytes], retain: bool = False) -> None:
    rows: mqtt_publish.MessagesList = [
        {"topic": topic, "payload": payload, "qos": 1, "retain": retain} for topic, payload in messages
    ]
    login: mqtt_publish.AuthParameter = {"username": "guest", "password": "guest"}
    port = urlsplit(url).port or 0
    await asyncio.to_thread(mqtt_publish.multiple, rows, "127.0.0.1", port, "device", 60, None, login)


def arrived(sink: StompSink) -> list[tuple[str, bytes]]:
    return [(frame.headers["destination"], frame.body) for frame in sink.taken]


async def test_it_is_acknowledged_and_the_session_outlasts_the_bridge(url: str, sink: StompSink) -> None:
    online = [("devices/a/telemetry", b"%d" % number) for number in range(50)]
    away = [("devices/a/telemetry", b"away %d" % number) for number in range(200)]
    async with running(url, sink.url, client_id="lasting") as bridge:
        await wait_until(lambda: sink.statuses and json.loads(sink.statuses[-1].body)["mqtt"]["state"] == "connected")
        version = json.loads(sink.statuses[-1].body)["mqtt"]["version"]
        await publish(url, *online)
        await wait_until(lambda: bridge.relay.counts.acknowledged == len(online))
    await publish(url, *away)
    async with running(url, sink.url, client_id="lasting") as bridge:
        await wait_until(lambda: bridge.relay.counts.acknowledged == len(away))
    async with running(url, sink.url, client_id="lasting") as bridge:
        await publish(url, ("devices/a/telemetry", b"last"))
        await wait_until(lambda: bridge.relay.counts.acknowledged == 1)

    expected = [(f"/topic/{topic}", payload) for topic, payload in (*online, *away, ("devices/a/telemetry", b"last"))]
    assert version == ("5" if rabbitmq.version() >= MQTT_5_SINCE else "3.1.1")
    assert arrived(sink) == expected


async def test_what_the_page_warns_of_is_so(url: str, sink: StompSink) -> None:
    await publish(url, ("old/state", b"retained"), retain=True)
    async with running(url, sink.url, client_id="topics"):
        await publish(url, ("spBv1.0/plant/NDATA/edge", b"1"), ("devices/a.b/telemetry", b"2"), ("$own/x", b"3"))
        await wait_until(lambda: len(sink.taken) == 3)

    assert arrived(sink) == [
        ("/topic/spBv1.0/plant/NDATA/edge", b"1"),
        ("/topic/devices/a/b/telemetry", b"2"),
        ("/topic/$own/x", b"3"),
    ]


async def test_a_command_goes_down_and_is_receipted(url: str, tmp_path: Path) -> None:
    got: list[tuple[str, bytes]] = []
    subscribed: list[object] = []
    device = paho.Client(CallbackAPIVersion.VERSION2, client_id="press-7")
    device.username_pw_set("guest", "guest")
    device.on_subscribe = lambda *arguments: subscribed.append(arguments)
    device.on_message = lambda _client, _data, message: got.append((message.topic, bytes(message.payload)))
    with RunningHub(tmp_path) as hub, StompPy(hub, "websocket").connect() as sender:
        async with running(url, hub.ws_url, client_id="down") as bridge:
            device.connect("127.0.0.1", urlsplit(url).port or 0)
            device.loop_start()
            await wait_until(device.is_connected)
            device.subscribe("devices/press-7/commands", 1)
            await wait_until(lambda: subscribed)
            sender.send("/topic/devices/press-7/commands", b"open", receipt="1")
            await wait_until(lambda: "1" in sender.heard.receipts)
            await wait_until(lambda: got)
            # It came back to the bridge, which takes `#`, and went no further.
            await wait_until(lambda: bridge.relay.counts.dropped["command"] == 1)
        device.disconnect()
        device.loop_stop()

    assert got == [("devices/press-7/commands", b"open")]
