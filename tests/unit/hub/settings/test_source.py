from pathlib import Path

import pytest

from hub.errors import SettingsError
from hub.settings.model import HubSettings, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "hub.toml"


def test_the_command_line_beats_variables_beat_the_file_beat_defaults(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('data_dir = "/var/lib/hub"\n[http]\nhost = "::1"\nport = 1\n[stomp]\nport = 1\n')
    monkeypatch.setenv("TELEMETRY_HUB_HTTP__PORT", "2")
    monkeypatch.setenv("TELEMETRY_HUB_STOMP__PORT", "2")

    loaded = load_settings(config, {"stomp": {"port": 3}})

    assert ("::1", 2, 3) == (loaded.settings.http.host, loaded.settings.http.port, loaded.settings.stomp.port)
    assert Path("/var/lib/hub") == loaded.settings.data_dir
    assert f"file {config}" == loaded.origin(("http", "host"))
    assert "variable TELEMETRY_HUB_HTTP__PORT" == loaded.origin(("http", "port"))
    assert "command line" == loaded.origin(("stomp", "port"))
    assert "default" == loaded.origin(("users",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[http]\nprot = 1\n", "http.prot (file {config}): no such setting"),
        ("[htpp]\nport = 1\n", "htpp (file {config}): no such setting"),
        ('[http]\nport = "x"\n', "http.port (file {config}): Input should be a valid integer"),
        ('[[users]]\nname = "ann"\n', "users.0.password (file {config}): Field required"),
        ("[http\n", "config (file {config}): is not TOML"),
    ],
)
def test_a_wrong_key_in_the_file_is_named_with_its_file(config: Path, text: str, message: str) -> None:
    config.write_text(text)

    with pytest.raises(SettingsError) as error:
        load_settings(config)

    assert str(error.value).startswith("wrong setting: " + message.format(config=config))
    assert error.value.exit_status == 2


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("TELEMETRY_HUB_HTTP__PROT", "http.prot (variable TELEMETRY_HUB_HTTP__PROT): no such setting"),
        ("TELEMETRY_HUB_HTPP__PORT", "htpp.port (variable TELEMETRY_HUB_HTPP__PORT): no such setting"),
        ("TELEMETRY_HUB_HTTP__PORT", "http.port (variable TELEMETRY_HUB_HTTP__PORT): Input should be"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "70000")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert str(error.value).startswith("wrong setting: " + message)


def test_all_problems_are_told_at_once(config: Path) -> None:
    config.write_text("[http]\nprot = 1\nport = -1\n")

    with pytest.raises(SettingsError) as error:
        load_settings(config)

    assert {"http.prot", "http.port"} == {problem.key for problem in error.value.problems}


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_HUB_USERS", '[{"name": "", "password": "hunter2", "extra": "hunter2"}]')

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert "variable TELEMETRY_HUB_USERS" in str(error.value)
    assert "hunter2" not in str(error.value) + repr(error.value)


def test_a_variable_that_must_be_json_and_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_HUB_USERS", "ann:hunter2")

    with pytest.raises(SettingsError, match='"users"') as error:
        load_settings()

    assert "hunter2" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml\): cannot be read: No such file"):
        load_settings(tmp_path / "absent.toml")


def test_a_model_built_in_code_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_HUB_HTTP__PORT", "2")

    assert HubSettings().http.port == 8080
