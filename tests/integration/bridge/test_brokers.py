"""The bridge as a process between real brokers and a scripted hub: kills, stops, absences."""

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from paho.mqtt import publish as mqtt_publish

from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.mosquitto import Mosquitto
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
# nats-server repeats what is unacknowledged ten seconds after its first delivery, Mosquitto on reconnect.
REDELIVERY_S = 40.0


@pytest.fixture(params=["nats", "mosquitto"])
def broker_url(request: pytest.FixtureRequest) -> str:
    broker: EmbeddedMqttBroker | Mosquitto = request.getfixturevalue(request.param)
    return broker.url


class BridgeProcess:
    """`telemetry-bridge run` as users start it."""

    started: ClassVar[list["BridgeProcess"]] = []

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.started.append(self)
        self.process = process
        self.ready_line = ""

    @classmethod
    async def start(cls, mqtt_url: str, hub_url: str, *options: str, wait_ready: bool = True) -> "BridgeProcess":
        command = [sys.executable, "-m", "bridge", "run", "--mqtt-url", mqtt_url, "--hub-url", hub_url]
        if "--health-port" not in options:
            command += ["--health-port", "0"]
        process = await asyncio.create_subprocess_exec(
            *command, *options, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        self = cls(process)
        if wait_ready:
            await self.ready()
        return self

    async def ready(self) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            self.ready_line = (await self.process.stdout.readline()).decode()
        assert self.ready_line.startswith("ready "), (await self.end(signal.SIGKILL))[1]

    async def end(self, how: signal.Signals) -> tuple[int, str]:
        """Signal it; return exit status and what it logged."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        _, log = await asyncio.wait_for(self.process.communicate(), 20)
        assert self.process.returncode is not None
        return self.process.returncode, log.decode()

    @property
    def health(self) -> str:
        return self.ready_line.split()[-1]


@pytest.fixture(autouse=True)
async def _leave_none_running() -> AsyncIterator[None]:
    """A test that fails before its own end leaves no bridge behind."""
    yield
    while BridgeProcess.started:
        bridge = BridgeProcess.started.pop()
        if bridge.process.returncode is None:
            await bridge.end(signal.SIGKILL)


async def publish(url: str, numbers: range, topic: str = "devices/a/telemetry") -> None:
    """Publish as a device does; return when the broker has acknowledged all."""
    messages: mqtt_publish.MessagesList = [{"topic": topic, "payload": b"%d" % n, "qos": 1} for n in numbers]
    await asyncio.to_thread(mqtt_publish.multiple, messages, "127.0.0.1", urlsplit(url).port or 0, "device")


def numbers(sink: StompSink) -> set[int]:
    return {int(body) for body in sink.bodies}


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_messages_arrive_once_each_and_in_order(
    mosquitto: Mosquitto, sink: StompSink, version: str, tmp_path: Path
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(f'mqtt_version = "{version}"\n', encoding="utf-8")
    bridge = await BridgeProcess.start(mosquitto.url, sink.url, "--config", str(config))
    await publish(mosquitto.url, range(2000))
    await wait_until(lambda: len(sink.taken) == 2000)

    assert (await bridge.end(signal.SIGTERM))[0] == 0
    assert [int(body) for body in sink.bodies] == list(range(2000))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_the_session_keeps_what_is_published_while_the_bridge_is_away(
    mosquitto: Mosquitto, sink: StompSink, version: str, tmp_path: Path
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(f'mqtt_version = "{version}"\n', encoding="utf-8")
    bridge = await BridgeProcess.start(mosquitto.url, sink.url, "--config", str(config))
    assert (await bridge.end(signal.SIGINT))[0] == 0
    await publish(mosquitto.url, range(3000))
    bridge = await BridgeProcess.start(mosquitto.url, sink.url, "--config", str(config))
    await wait_until(lambda: len(numbers(sink)) == 3000)

    assert (await bridge.end(signal.SIGTERM))[0] == 0


async def test_kill_9_of_the_bridge_loses_nothing_that_a_device_saw_acknowledged(
    broker_url: str, sink: StompSink
) -> None:
    bridge = await BridgeProcess.start(broker_url, sink.url)
    await publish(broker_url, range(500))
    await wait_until(lambda: sink.count == 500)
    sink.hold = True
    await publish(broker_url, range(500, 3000))
    await wait_until(lambda: sink.count > 500)
    await bridge.end(signal.SIGKILL)
    # What had no receipt is lost with this hub: it must come again.
    sink.taken = sink.taken[:500]
    sink.held.clear()
    sink.hold = False
    bridge = await BridgeProcess.start(broker_url, sink.url)
    await wait_until(lambda: len(numbers(sink)) == 3000, REDELIVERY_S)

    assert (await bridge.end(signal.SIGTERM))[0] == 0
    assert numbers(sink) == set(range(3000))


async def test_a_hub_that_is_away_is_retried_shown_and_nothing_is_lost(mosquitto: Mosquitto, sink: StompSink) -> None:
    bridge = await BridgeProcess.start(mosquitto.url, sink.url)
    await sink.stop()
    await publish(mosquitto.url, range(1000))
    await wait_until(lambda: readiness(bridge.health)[0] == 503)
    state = readiness(bridge.health)[1]

    assert (state["mqtt"]["ok"], state["hub"]["ok"]) == (True, False)

    sink.start()
    await wait_until(lambda: len(numbers(sink)) == 1000)
    status, state = readiness(bridge.health)

    assert (status, state["hub"]["detail"]) == (200, "connected")
    assert (await bridge.end(signal.SIGTERM))[0] == 0


async def test_a_broker_that_is_away_is_retried_and_a_stop_still_works(sink: StompSink) -> None:
    bridge = await BridgeProcess.start("mqtt://127.0.0.1:1", sink.url, wait_ready=False)
    await wait_until(lambda: sink.connects)
    code, log = await bridge.end(signal.SIGTERM)

    assert code == 0
    assert "mqtt.unreachable" in log


async def test_retained_messages_carry_the_header(broker_url: str, sink: StompSink) -> None:
    await asyncio.to_thread(
        mqtt_publish.single, "devices/r/telemetry", b"kept", 1, True, "127.0.0.1", urlsplit(broker_url).port or 0
    )
    bridge = await BridgeProcess.start(broker_url, sink.url)
    await wait_until(lambda: sink.taken)
    await bridge.end(signal.SIGTERM)

    assert (sink.taken[0].body, sink.taken[0].headers["retained"]) == (b"kept", "true")


async def test_a_taken_health_port_is_named(sink: StompSink) -> None:
    bridge = await BridgeProcess.start(
        "mqtt://127.0.0.1:1", sink.url, "--health-port", str(sink.port), wait_ready=False
    )
    code, log = await bridge.end(signal.SIGCONT)

    assert code == 1
    assert f"port {sink.port}" in log


async def test_a_wrong_setting_is_named(sink: StompSink) -> None:
    bridge = await BridgeProcess.start("mqtt://x", sink.url, "--filter", "a/#/b", wait_ready=False)
    code, log = await bridge.end(signal.SIGCONT)

    assert code == 2
    assert "filters" in log


def readiness(health: str) -> tuple[int, dict[str, dict[str, object]]]:
    try:
        with urllib.request.urlopen(f"{health}/readyz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
