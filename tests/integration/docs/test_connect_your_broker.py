"""docs/how-to/connect-your-broker.md: its commands run, its Mosquitto files start a broker, its TOML is taken."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from bridge.inspect.mosquitto_conf import remarks
from bridge.settings import BridgeSettings
from hub.processes import child_process
from hub.settings.model import HubSettings
from hub.topics.bridging import DEFAULT_COMMANDS
from tests.support.hub import RunningHub
from tests.support.mosquitto import PAGE, Mosquitto
from tests.support.programs import require_program
from tests.support.waiting import wait_for

TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_mosquitto_file_has_nothing_that_check_would_mend() -> None:
    config, _ = blocks("conf")

    assert remarks(config) == []


def test_the_rules_let_the_bridge_write_every_topic_that_commands_go_to_and_no_other() -> None:
    _, rules = blocks("conf")
    written = re.findall(r"^topic write (.*)$", rules, re.MULTILINE)

    assert tuple(written) == DEFAULT_COMMANDS


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Serve with both files of the page, and the users `bridge` and `press-7`."""
    config, rules = blocks("conf")
    passwords = tmp_path / "passwd"
    passwords.touch()
    for user in ("bridge", "press-7"):
        command = [require_program("mosquitto_passwd"), "-b", str(passwords), user, "p@ssword"]
        subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "acl").write_text(rules, encoding="utf-8")
    for file in (passwords, tmp_path / "acl"):
        file.chmod(0o644)
    lines = [line for line in config.splitlines() if not line.startswith(("listener", "persistence_location"))]
    with Mosquitto(tmp_path, "\n".join(lines).replace("/etc/mosquitto", str(tmp_path))) as broker:
        yield broker


def test_the_check_of_the_page_is_well(broker: Mosquitto, tmp_path: Path) -> None:
    with RunningHub(tmp_path / "hub") as hub:
        check = next(line for line in blocks("sh")[0].splitlines() if "check" in line)
        check = check.replace("mqtt://127.0.0.1:1883", broker.url.replace("//", "//bridge:p%40ssword@"))
        words = shlex.split(check.replace("ws://127.0.0.1:8080/ws", hub.ws_url))
        words[0] = child_process.program(words[0])
        result = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)

    assert result.returncode == 0, result.stdout + result.stderr


def client(broker: Mosquitto, user: str) -> paho.Client:
    made = paho.Client(CallbackAPIVersion.VERSION2, client_id=user)
    made.username_pw_set(user, "p@ssword")
    made.connect("127.0.0.1", broker.port)
    made.loop_start()
    wait_for(made.is_connected)
    return made


def test_with_the_rules_of_the_page_commands_reach_the_device_and_the_bridge_writes_nothing_else(
    broker: Mosquitto,
) -> None:
    got: list[str] = []
    subscribed: list[object] = []
    device, bridge = client(broker, "press-7"), client(broker, "bridge")
    device.on_message = lambda _client, _data, message: got.append(message.topic)
    device.on_subscribe = lambda *arguments: subscribed.append(arguments)
    device.subscribe("devices/press-7/#", 1)
    wait_for(lambda: subscribed)
    for topic in ("devices/press-7/telemetry", "devices/press-7/commands"):
        bridge.publish(topic, b"x", 1)
    wait_for(lambda: got)
    for one in (device, bridge):
        one.disconnect()
        one.loop_stop()

    assert got == ["devices/press-7/commands"]


@pytest.mark.parametrize("block", blocks("toml"))
def test_the_settings_of_the_page_are_settings(block: str) -> None:
    model = HubSettings if block.startswith("# hub.toml") else BridgeSettings

    assert model.model_validate(tomllib.loads(block))


@pytest.mark.parametrize(
    "line", re.findall(r"^\d\. `((?:telemetry-bridge|telemetry-hub) explain .*?)`", TEXT, re.MULTILINE)
)
def test_the_explanations_that_the_page_asks_for_are_given(line: str) -> None:
    words = shlex.split(line)
    words[0] = child_process.program(words[0])
    result = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "press-7" in result.stdout
