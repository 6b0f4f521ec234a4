"""Every way to a broker, against Mosquitto: TCP and WebSocket, with and without TLS, in both versions."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from paho.mqtt import publish as mqtt_publish

from tests.support.certificates import Certificates
from tests.support.mosquitto import IN_MEMORY, Mosquitto
from tests.support.ports import free_port
from tests.support.programs import require_program
from tests.support.proxy import fault_proxy
from tests.support.running_bridge import running
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

MESSAGES = 3000


def tls(certificates: Certificates) -> str:
    """Write the lines of a listener that speaks TLS."""
    files = {"cafile": "ca.pem", "certfile": "server.pem", "keyfile": "server.key"}
    return "".join(f"{option} {certificates[name]}\n" for option, name in files.items())


async def publish_plain(port: int) -> None:
    messages: mqtt_publish.MessagesList = [
        {"topic": f"devices/{number % 7}/telemetry", "payload": b"%d" % number, "qos": 1} for number in range(MESSAGES)
    ]
    await asyncio.to_thread(mqtt_publish.multiple, messages, "127.0.0.1", port, "device")


@pytest.mark.parametrize("version", ["auto", "3.1.1"])
@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "ws", "wss"])
async def test_all_arrives_once_and_in_order(
    scheme: str, version: str, sink: StompSink, certificates: Certificates, tmp_path: Path
) -> None:
    plain = free_port()
    listener = "protocol websockets\n" if scheme.startswith("ws") else ""
    settings: dict[str, object] = {"mqtt_version": version}
    if scheme in {"mqtts", "wss"}:
        listener += tls(certificates)
        settings["mqtt_ca_file"] = certificates["ca.pem"]
    with Mosquitto(tmp_path, f"{IN_MEMORY}listener {plain} 127.0.0.1\n", scheme, listener) as broker:
        async with running(broker.url, sink.url, **settings):
            pass  # the session exists from now on, and keeps what comes
        await publish_plain(plain)
        async with running(broker.url, sink.url, **settings) as bridge:
            await wait_until(lambda: bridge.relay.counts.acknowledged == MESSAGES, 20)

    assert [int(body) for body in sink.bodies] == list(range(MESSAGES))
    assert bridge.relay.counts.transactions < MESSAGES / 4  # bursts, whatever carries them


async def test_a_client_certificate_and_a_login_are_shown_to_the_broker(
    sink: StompSink, certificates: Certificates, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    program = require_program("mosquitto_passwd")
    command = [program, "-c", "-b", str(passwords), "bridge", "p@ss:word/"]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    passwords.chmod(0o644)
    config = IN_MEMORY.replace("allow_anonymous true", f"allow_anonymous false\npassword_file {passwords}")
    listener = tls(certificates) + "require_certificate true\n"
    names = {"mqtt_ca_file": "ca.pem", "mqtt_cert_file": "client.pem", "mqtt_key_file": "client.key"}
    files = {key: certificates[name] for key, name in names.items()}
    with Mosquitto(tmp_path, config, "mqtts", listener) as broker:
        url = broker.url.replace("mqtts://", "mqtts://bridge:p%40ss%3Aword%2F@")
        async with running(url, sink.url, **files) as bridge:
            assert bridge.state()["mqtt"]["detail"] == "connected and subscribed"


async def test_online_and_offline_are_retained_on_the_status_topic_and_offline_is_the_will(
    sink: StompSink, mosquitto: Mosquitto
) -> None:
    topic = "telemetry/bridge/line-1"

    def bodies() -> list[bytes]:
        return [frame.body for frame in sink.taken if frame.headers["destination"] == f"/topic/{topic}"]

    async with (
        fault_proxy(mosquitto.port) as proxy,
        running(mosquitto.url, sink.url, client_id="watcher", filters=("telemetry/#",)),
    ):
        mine = {"mqtt_status_topic": topic, "filters": ("devices/#",)}
        async with running(f"mqtt://127.0.0.1:{proxy.port}", sink.url, **mine):
            await wait_until(lambda: bodies() == [b"online"])
            await proxy.cut()  # no DISCONNECT is sent
            await wait_until(lambda: bodies()[1:] == [b"offline", b"online"])
        await wait_until(lambda: bodies()[3:] == [b"offline"])
