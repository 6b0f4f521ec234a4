from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub import cli


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])

    assert 0 == result.exit_code
    assert all(command in result.stdout for command in ("serve", "demo", "config"))


def test_a_wrong_setting_ends_the_program_with_status_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELEMETRY_HUB_HTTP__PROT", "1")
    monkeypatch.setattr("sys.argv", ["telemetry-hub", "serve"])

    with pytest.raises(SystemExit) as exit_:
        cli.main()

    assert 2 == exit_.value.code
    expected = "telemetry-hub: wrong setting: http.prot (variable TELEMETRY_HUB_HTTP__PROT): no such setting\n"
    assert expected == capsys.readouterr().err


def test_config_check_accepts_good_settings(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text("[http]\nport = 9000\n")

    result = CliRunner().invoke(cli.app, ["config", "check", "--config", str(config)])

    assert (0, "ok\n") == (result.exit_code, result.stdout)


def test_config_show_prints_the_effective_settings(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text("[http]\nport = 9000\n")

    result = CliRunner().invoke(cli.app, ["config", "show", "--config", str(config)])

    assert f"port = 9000  # file {config}" in result.stdout
