"""`telemetry-hub serve` as a process."""

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from tests.support.ports import free_port
from tests.support.waiting import wait_for

SERVE = [child_process.program("telemetry-hub"), "serve"]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_with_the_embedded_database_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", [*SERVE, "--port", "0", "--stomp-port", "0", "--data-dir", str(tmp_path)])
        http, websocket, *_ = hub.wait_ready(30)
        wait_for(lambda: get(f"{http}/readyz")[0] == 200, 30)

        hub.process.send_signal(number)

        assert 0 == hub.process.wait(30)
        supervisor.forget(hub)
    assert f"{http.replace('http', 'ws')}/ws" == websocket


def test_signals_while_it_stops_do_not_change_its_exit_status(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", [*SERVE, "--port", "0", "--stomp-port", "0", "--data-dir", str(tmp_path)])
        hub.wait_ready(30)

        def ended() -> bool:
            hub.process.terminate()
            return hub.process.poll() is not None

        wait_for(ended, 30)

        assert 0 == hub.process.returncode
        supervisor.forget(hub)


def test_an_unreachable_database_is_shown_and_does_not_stop_it(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://hub:secret@127.0.0.1:{port}/hub"
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", [*SERVE, "--port", "0", "--stomp-port", "0", "--database-url", url])
        http = hub.wait_ready(30)[0]

        status, body = get(f"{http}/readyz")

        assert 503 == status
        assert json.loads(body)
        assert 200 == get(f"{http}/livez")[0]
        supervisor.stop(hub)
        assert "secret" not in body + hub.log_path.read_text() + hub.out_path.read_text()


def test_a_database_that_cannot_be_used_stands_in_the_ready_line_and_once_in_the_log(tmp_path: Path) -> None:
    options = ["--port", "0", "--stomp-port", "0", "--data-dir", str(tmp_path)]
    options += ["--database-url", f"postgresql://hub:hunter2@127.0.0.1:{free_port()}/hub"]
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", [*SERVE, *options])
        addresses = hub.wait_ready(30)
        shown = Path(f"/proc/{hub.process.pid}/cmdline").read_bytes()
        supervisor.stop(hub)
        log, out = hub.log_path.read_text(), hub.out_path.read_text()

    assert 2 == len(addresses)
    assert "(without its database: ConnectionRefusedError: " in out
    assert "Start the server" in out
    assert 1 == log.count('"event": "database_away"')
    assert 1 == log.count('"event": "password_on_command_line"')
    assert b"hunter2" not in shown
    assert "hunter2" not in log + out


def test_a_second_hub_on_the_same_data_directory_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    options = ["--port", "0", "--stomp-port", "0", "--data-dir", str(tmp_path / "hub's däta")]
    with Supervisor(tmp_path / "logs") as supervisor:
        first = supervisor.start("hub", [*SERVE, *options])
        http = first.wait_ready(30)[0]
        second = subprocess.run([*SERVE, *options], check=False, capture_output=True, text=True, timeout=30)
        wait_for(lambda: get(f"{http}/readyz")[0] == 200, 30)
        supervisor.stop(first)

    assert (1, "") == (second.returncode, second.stdout)
    assert f"process {first.process.pid} is using it; stop that one" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*SERVE, "--port", str(port), "--stomp-port", "0", "--data-dir", str(tmp_path)]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    assert (1, "") == (result.returncode, result.stdout)
    assert f"telemetry-hub: HTTP: port {port} on 127.0.0.1 is in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_setting_is_named_and_ends_it_with_status_2(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text("[http]\nprot = 1\n")

    result = subprocess.run([*SERVE, "--config", str(config)], check=False, capture_output=True, text=True, timeout=30)

    assert (2, f"telemetry-hub: wrong setting: http.prot (file {config}): no such setting\n") == (
        result.returncode,
        result.stderr,
    )
