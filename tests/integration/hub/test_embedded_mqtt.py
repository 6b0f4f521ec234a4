"""The embedded MQTT broker against real paho clients."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hub.errors import PortInUseError
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.waiting import wait_for


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedMqttBroker]:
    broker = EmbeddedMqttBroker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def connected(broker: EmbeddedMqttBroker, client_id: str) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    wait_for(client.is_connected)
    return client


def closed(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def publish(broker: EmbeddedMqttBroker, payloads: list[bytes]) -> None:
    publisher = connected(broker, "publisher")
    for info in [publisher.publish("devices/press-7/telemetry", payload, qos=1) for payload in payloads]:
        info.wait_for_publish(10)
    closed(publisher)


def test_it_keeps_messages_for_an_absent_session_over_a_kill_and_a_restart(broker: EmbeddedMqttBroker) -> None:
    subscriber = connected(broker, "bridge")
    subscribed: list[int] = []
    subscriber.on_subscribe = lambda _client, _data, mid, *_: subscribed.append(mid)
    subscriber.subscribe("devices/+/telemetry", qos=1)
    wait_for(lambda: subscribed)
    closed(subscriber)
    payloads = [str(number).encode() for number in range(500)]
    publish(broker, payloads)
    port = broker.port
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()

    broker.start()
    received: list[bytes] = []
    subscriber = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bridge", clean_session=False)
    subscriber.on_message = lambda _client, _data, message: received.append(bytes(message.payload))
    subscriber.connect("127.0.0.1", broker.port)
    subscriber.loop_start()
    wait_for(lambda: len(received) >= len(payloads), 20)
    closed(subscriber)

    assert port == broker.port
    assert payloads == received


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is in use"):
            EmbeddedMqttBroker(tmp_path, port).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_it_dies_with_its_owner_even_when_that_is_killed(tmp_path: Path) -> None:
    program = """
import sys, pathlib
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
broker = EmbeddedMqttBroker(pathlib.Path(sys.argv[1]))
broker.start()
print(broker.process.pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        broker = psutil.Process(int(owner.stdout.readline()))
        assert "nats-server" in broker.name()

        os.kill(owner.pid, signal.SIGKILL)

    wait_for(lambda: not broker.is_running() or broker.status() == psutil.STATUS_ZOMBIE)


def test_it_stops_and_starts_again_on_the_same_data(broker: EmbeddedMqttBroker) -> None:
    url = broker.url
    broker.stop()

    assert url == broker.start()
    closed(connected(broker, "anyone"))
