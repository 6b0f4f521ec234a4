"""Command lines without passwords."""

import subprocess
import sys

import pytest

from hub.processes.program import installed_version, masked


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("postgresql://ann:hunter2@db:5432/hub", "postgresql://ann:****@db:5432/hub"),
        ("--database-url=postgresql://ann:hun@ter/2@db/hub", "--database-url=postgresql://ann:****@db/hub"),
        (
            "postgresql:///hub?user=ann&password=hunter2&sslmode=require",
            "postgresql:///hub?user=ann&password=****&sslmode=require",
        ),
        ("mqtts://:hunter2@broker", "mqtts://:****@broker"),
        ("ws://127.0.0.1:8080/ws", "ws://127.0.0.1:8080/ws"),
        ("postgresql://ann@db/hub", "postgresql://ann@db/hub"),
        ("devices/+/telemetry", "devices/+/telemetry"),
    ],
)
def test_the_password_of_a_url_is_masked(argument: str, shown: str) -> None:
    assert shown == masked(argument)


@pytest.mark.parametrize("module", ["hub", "bridge", "device_sim"])
def test_each_program_tells_its_version(module: str) -> None:
    result = subprocess.run([sys.executable, "-m", module, "--version"], check=False, capture_output=True, text=True)

    assert (0, f"{installed_version()}\n") == (result.returncode, result.stdout)
