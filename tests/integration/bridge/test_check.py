"""`telemetry-bridge check` as users run it, with real brokers and a real hub, well and ill."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt import publish as mqtt_publish
from pydantic import SecretStr

from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from hub.settings.model import UserSettings
from tests.support.hub import RunningHub
from tests.support.mosquitto import IN_MEMORY, Mosquitto
from tests.support.ports import free_port
from tests.support.running_bridge import running
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until


def run_check(*options: str) -> tuple[int, str]:
    command = [child_process.program("telemetry-bridge"), "check", "--timeout", "3", *options]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with RunningHub(tmp_path) as hub:
        yield hub


def test_all_is_well_with_mosquitto_and_mqtt_5(hub: RunningHub, mosquitto: Mosquitto) -> None:
    code, text = run_check("--mqtt-url", mosquitto.url, "--hub-url", hub.ws_url)

    assert code == 0, text
    assert "connected with MQTT 5, subscribed to #" in text
    assert "connected as bridge 'telemetry-bridge'" in text


def test_all_is_well_with_nats_and_mqtt_3_1_1(hub: RunningHub, nats: EmbeddedMqttBroker) -> None:
    code, text = run_check("--mqtt-url", nats.url, "--hub-url", hub.ws_url, "--filter", "devices/#")

    assert code == 0, text
    assert "connected with MQTT 3.1.1, subscribed to devices/#" in text


def test_nobody_there_is_said_for_both_sides(tmp_path: Path) -> None:
    nobody = free_port()
    code, text = run_check("--mqtt-url", f"mqtt://127.0.0.1:{nobody}", "--hub-url", f"ws://127.0.0.1:{nobody}/ws")

    assert code == 1
    assert text.count("Connection refused") == 2
    assert "start the broker" in text
    assert "start the hub" in text


def test_a_wrong_path_and_a_wrong_login_of_the_hub_are_told_apart(tmp_path: Path, mosquitto: Mosquitto) -> None:
    users = (UserSettings(name="ann", password=SecretStr("correct horse")),)
    with RunningHub(tmp_path / "hub", users=users) as hub:
        login = run_check("--mqtt-url", mosquitto.url, "--hub-url", hub.ws_url)
        path = run_check("--mqtt-url", mosquitto.url, "--hub-url", f"{hub.ws_url}x")

    assert (login[0], path[0]) == (1, 1)
    assert "hub_login and hub_passcode" in login[1]
    assert "Handshake status 404" in path[1]


def test_a_brokers_refusals_are_told_apart(hub: RunningHub, tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic read devices/#\n", encoding="utf-8")
    with (
        Mosquitto(tmp_path, f"{IN_MEMORY}acl_file {rules}\n") as broker,
        Mosquitto(tmp_path / "locked", IN_MEMORY.replace("allow_anonymous true", "allow_anonymous false")) as closed,
    ):
        refused = run_check("--mqtt-url", closed.url, "--hub-url", hub.ws_url)
        tls = run_check("--mqtt-url", broker.url.replace("mqtt:", "mqtts:"), "--hub-url", hub.ws_url)

    assert (refused[0], tls[0]) == (1, 1)
    assert "user:password@" in refused[1]
    assert "->" in tls[1]


def test_a_broker_that_grants_and_delivers_nothing_is_told_from_one_that_delivers(
    hub: RunningHub, tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write #\ntopic read open/#\n", encoding="utf-8")
    with Mosquitto(tmp_path, f"{IN_MEMORY}acl_file {rules}\n") as broker:
        port = urlsplit(broker.url).port or 0
        for topic in ("shut/a", "open/a"):
            mqtt_publish.single(topic, b"1", qos=1, retain=True, hostname="127.0.0.1", port=port)
        shut = run_check("--mqtt-url", broker.url, "--hub-url", hub.ws_url, "--filter", "shut/#")
        opened = run_check("--mqtt-url", broker.url, "--hub-url", hub.ws_url, "--filter", "open/#")

    assert (shut[0], opened[0]) == (0, 0)
    assert "no message came within 2 s" in shut[1]
    assert "acl_file" in shut[1]
    assert "messages come" in opened[1]


def test_wrong_settings_are_exit_status_2(tmp_path: Path) -> None:
    code, text = run_check("--mqtt-url", "http://x")

    assert code == 2
    assert "mqtt_url" in text


def test_a_mosquitto_file_that_loses_messages_is_something_to_mend(
    hub: RunningHub, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.conf"
    file.write_text("persistence true\nmax_queued_bytes 512MB\n", encoding="utf-8")
    code, text = run_check("--mqtt-url", mosquitto.url, "--hub-url", hub.ws_url, "--mosquitto-conf", str(file))

    assert code == 1
    assert "max_queued_bytes 536870912" in text


async def test_a_check_disturbs_no_bridge_and_takes_no_message_of_its_group(
    mosquitto: Mosquitto, sink: StompSink
) -> None:
    port = urlsplit(mosquitto.url).port or 0
    messages: mqtt_publish.MessagesList = [{"topic": "devices/a", "payload": b"%d" % n, "qos": 1} for n in range(400)]
    shared = "$share/bridges/devices/#"
    async with running(mosquitto.url, sink.url, filters=(shared,)) as bridge:
        publishing = asyncio.create_task(asyncio.to_thread(mqtt_publish.multiple, messages, "127.0.0.1", port))
        options = ("--mqtt-url", mosquitto.url, "--hub-url", sink.url, "--filter", shared)
        code, text = await asyncio.to_thread(run_check, *options)
        await publishing
        await wait_until(lambda: len(sink.taken) == 400)
        lost = bridge.state()["mqtt"]["detail"]

    assert code == 0, text
    assert lost == "connected and subscribed"
