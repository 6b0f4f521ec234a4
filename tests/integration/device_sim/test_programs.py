"""`device-sim run` and `replay` as processes, against a real broker: their lines, signals and exit status."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_sim.ledger.reader import read_ledger
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from tests.support.vectors import MACHINE_TEMPERATURE
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    broker = EmbeddedMqttBroker(tmp_path_factory.mktemp("nats"))
    yield broker.start()
    broker.stop()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "device_sim", *arguments]


def finished(*arguments: str) -> tuple[list[str], str]:
    """Run to the end; return the lines of stdout, and stderr."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines(), done.stderr


def test_run_says_ready_and_ends_with_what_it_sent(broker_url: str, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger")
    (ready, last), errors = finished(
        "run", "--devices", "20", "--rate", "200", "--for", "1", "--mqtt-url", broker_url, "--ledger", ledger
    )
    summary = json.loads(last)

    assert ready == f"ready {broker_url}"
    assert list(summary) == ["messages", "published", "acknowledged", "seconds"]
    assert 150 <= summary["messages"] <= 200  # 200 on a machine that is not busy otherwise
    assert summary["published"] == summary["acknowledged"] == 3 * summary["messages"]
    assert sum(len(entry.metrics) for entry in read_ledger(Path(ledger))) == summary["published"]
    assert errors == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_status_0_and_the_summary(
    broker_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(command("run", "--mqtt-url", broker_url, "--rate", "100"), stdout=file)
    wait_for(lambda: out.read_text().startswith("ready"))
    process.send_signal(number)

    assert process.wait(15) == 0
    summary = json.loads(out.read_text().splitlines()[-1])
    assert summary["acknowledged"] == summary["published"]


def test_a_signal_ends_a_run_that_never_found_its_broker(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command("run", "--mqtt-url", "mqtt://127.0.0.1:1"), stdout=stdout, stderr=stderr)
    wait_for(lambda: err.read_text() != "")
    process.send_signal(signal.SIGTERM)

    assert process.wait(15) == 0
    [told] = err.read_text().splitlines()
    assert told.startswith("Waiting for mqtt://127.0.0.1:1 (Connection refused); start a broker there")
    assert json.loads(out.read_text()) == {"messages": 0, "published": 0, "acknowledged": 0, "seconds": 0.0}


@pytest.mark.parametrize("arguments", [(), ("plant",), ("plant", "--processes", "2")], ids=" ".join)
def test_a_second_interrupt_ends_a_run_that_waits_for_acknowledgements(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    broker = EmbeddedMqttBroker(tmp_path / "broker")
    options = ("--rate", "100", "--mqtt-url", broker.start(), "--ledger", str(tmp_path / "ledger"), "--quiet")
    with subprocess.Popen(
        command("run", *arguments, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("ready")
        wait_for(lambda: any(b"\nA " in file.read_bytes() for file in tmp_path.glob("ledger*")))
        assert broker.process is not None
        broker.process.send_signal(signal.SIGSTOP)
        sent = sum(file.stat().st_size for file in tmp_path.glob("ledger*"))
        wait_for(lambda: sum(file.stat().st_size for file in tmp_path.glob("ledger*")) > sent)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)

        assert process.wait(15) == 130
        assert "Ended at once" in process.stderr.read()
    broker.process.send_signal(signal.SIGCONT)
    broker.stop()


def test_a_ledger_is_its_owners_alone(broker_url: str, tmp_path: Path) -> None:
    finished("run", "--for", "0.2", "--mqtt-url", broker_url, "--ledger", str(tmp_path / "ledger"))

    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


def test_the_processes_of_a_run_end_with_their_parent_however_it_dies(broker_url: str) -> None:
    process = subprocess.Popen(
        command("run", "--for", "60", "--processes", "2", "--mqtt-url", broker_url), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"ready")
    process.kill()
    process.communicate(timeout=15)  # to the end of the pipe, which the last of them closes


def test_replay_at_full_speed_sends_the_nab_file_in_seconds(broker_url: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    (_, last), errors = finished(
        *("replay", str(MACHINE_TEMPERATURE), "--device", "press-7", "--metric", "temperature", "--speed", "max"),
        *("--mqtt-url", broker_url, "--ledger", str(ledger)),
    )
    summary = json.loads(last)
    entries = list(read_ledger(ledger))

    assert summary["messages"] == summary["published"] == summary["acknowledged"] == 22_695
    assert summary["seconds"] < 30  # of 79 days; 0.3 on a machine that is not busy otherwise
    assert "12 of 22695 rows repeat the time of an earlier row" in errors
    assert len({entry.time_us for entry in entries if entry.acknowledged}) == 22_695


def test_replay_at_a_pace_keeps_the_files_gaps(broker_url: str, tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    file.write_text("timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:01:00,2\n")
    (_, last), _ = finished(
        *("replay", str(file), "--device", "d", "--metric", "m", "--speed", "120", "--mqtt-url", broker_url)
    )

    assert json.loads(last)["seconds"] >= 0.5
