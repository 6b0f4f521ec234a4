"""The command line: wrong arguments are named in one line, with status 2, before anything is sent."""

import sys
from pathlib import Path

import pytest

from device_sim.cli import main


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "--devices", "0"], "--devices"),
        (["run", "--devices", "many"], "--devices"),
        (["run", "--rate", "-1"], "--rate"),
        (["run", "--for", "0"], "--for"),
        (["run", "--for", "nan"], "--for"),
        (["run", "--ledger", "-"], "--ledger: a ledger is a file"),
        (["run", "--mqtt-url", "mqtt://127.0.0.1:1", "--for", "2"], "cannot reach mqtt://127.0.0.1:1"),
        (["run", "--protocol", "amqp"], "--protocol"),
        (["run", "--mqtt-url", "localhost"], "--mqtt-url"),
        (["run", "--protocol", "stomp", "--hub-url", "http://h"], "--hub-url"),
        (["run", "--topic", "devices/telemetry"], "--topic"),
        (["run", "--ledger", "/no/such/directory/ledger"], "--ledger"),
        (["run", "--processes", "0"], "--processes"),
        (["run", "--report", "report.json"], "--report"),
        (["run", "--database-url", "postgresql://h/d"], "--database-url"),
        (["run", "--tls-ca", "/no/such/file"], "/no/such/file"),
        (["run", "reconnect-storm", "--rate", "nan"], "--rate"),
        (["run", "reconnect-storm", "--devices", "0"], "--devices"),
        (["run", "reconnect-storm", "--topic", "a/{device}"], "--topic"),
        (["run", "factory-line", "--report", "-"], "on stdout in any case"),
        (["run", "reconnect-storm", "--stomp-url", "ws://h"], "--stomp-url"),
        (["run", "reconnect-storm", "--report", "report.pdf"], "--report"),
        (["run", "factory-line", "--database-url", "postgresql://127.0.0.1:1/d"], "--database-url"),
        (["run", "no-such-scenario"], "no-such-scenario"),
        (["run", "no-such-file.toml"], "no-such-file.toml"),
        (["replay", "FILE", "--metric", "m"], "--device"),
        (["replay", "FILE", "--device", "d"], "--metric"),
        (["replay", "FILE", "--device", "a/b", "--metric", "m"], "--device"),
        (["replay", "FILE", "--device", "d", "--metric", "ts"], "--metric"),
        (["replay", "FILE", "--device", "d", "--metric", "m", "--speed", "fast"], "--speed"),
        (["replay", "none.csv", "--device", "d", "--metric", "m"], "none.csv"),
        (["watch", "--hub-url", "mqtt://h"], "--hub-url"),
        (["bench", "everything"], "LOAD"),
        (["bench", "fanout", "--against", "http://h"], "--against"),
        (["bench", "fanout", "--for", "inf"], "--for"),
        (["bench", "fanout", "--for", "1"], "--for"),
        (["bench", "fanout", "--only", "7 subscribers"], "--only"),
        (["bench", "fanout", "--topic", "a/+/{device}"], "topic"),
        (["chaos", "--devices", "0"], "--devices"),
        (["chaos", "--rate", "0"], "--rate"),
        (["chaos", "--rate", "nan"], "--rate"),
        (["verify", "--ledger", "none"], "--database-url"),
        (["verify", "--ledger", "none", "--database-url", "postgresql://h/d"], "--ledger"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_argument_is_named(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "recording.csv"
    file.write_text("timestamp,value\n1,2\n")
    monkeypatch.setattr("device_sim.run.program.PATIENCE_S", 0.1)
    monkeypatch.setattr(sys, "argv", ["device-sim", *(str(file) if word == "FILE" else word for word in arguments)])
    with pytest.raises(SystemExit) as caught:
        main()

    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert named in printed.err
    assert printed.out == ""
