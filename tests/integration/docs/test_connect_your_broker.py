"""docs/how-to/connect-your-broker.md: its commands run, its Mosquitto files start a broker, its TOML is taken."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from bridge.mosquitto_conf import remarks
from bridge.settings import BridgeSettings
from hub import child_process
from tests.support.hub import RunningHub
from tests.support.mosquitto import PAGE, Mosquitto
from tests.support.programs import require_program

TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_mosquitto_file_has_nothing_that_check_would_mend() -> None:
    config, _ = blocks("conf")

    assert remarks(config) == []


def test_a_broker_starts_with_both_files_and_the_check_of_the_page_is_well(tmp_path: Path) -> None:
    config, rules = blocks("conf")
    passwords = tmp_path / "passwd"
    command = [require_program("mosquitto_passwd"), "-c", "-b", str(passwords), "bridge", "p@ssword"]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "acl").write_text(rules, encoding="utf-8")
    for file in (passwords, tmp_path / "acl"):
        file.chmod(0o644)
    lines = [line for line in config.splitlines() if not line.startswith(("listener", "persistence_location"))]
    broker = Mosquitto(tmp_path, "\n".join(lines).replace("/etc/mosquitto", str(tmp_path)))
    try:
        with RunningHub(tmp_path / "hub") as hub:
            check = next(line for line in blocks("sh")[0].splitlines() if "check" in line)
            check = check.replace("mqtt://127.0.0.1:1883", broker.url.replace("//", "//bridge:p%40ssword@"))
            words = shlex.split(check.replace("ws://127.0.0.1:8080/ws", hub.ws_url))
            words[0] = child_process.program(words[0])
            result = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
    finally:
        broker.stop()

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("block", blocks("toml"))
def test_the_settings_of_the_page_are_settings(block: str) -> None:
    assert BridgeSettings.model_validate(tomllib.loads(block))


@pytest.mark.parametrize(
    "line", re.findall(r"^\d\. `((?:telemetry-bridge|telemetry-hub) explain .*?)`", TEXT, re.MULTILINE)
)
def test_the_explanations_that_the_page_asks_for_are_given(line: str) -> None:
    words = shlex.split(line)
    words[0] = child_process.program(words[0])
    result = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "press-7" in result.stdout
