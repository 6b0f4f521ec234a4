import tomllib
from pathlib import Path

import pytest

from hub.settings.model import load_settings
from hub.settings.view import render


def test_the_view_reads_back_as_toml_and_names_origins(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text('[http]\nport = 9000\n[[users]]\nname = "ann"\npassword = "hunter2"\n')

    text = render(load_settings(config, {"stomp": {"port": 0}}))

    assert tomllib.loads(text)["http"]["port"] == 9000
    assert f"port = 9000  # file {config}" in text
    assert "port = 0  # command line" in text
    assert 'host = "127.0.0.1"  # default' in text


@pytest.mark.parametrize(
    "url", ["postgresql://ann:hunter2@db:5432/hub", "postgresql://db/hub?user=ann&password=hunter2&sslmode=require"]
)
def test_secrets_are_hidden(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "hub.toml"
    config.write_text('[[users]]\nname = "ann"\npassword = "hunter2"\n')
    monkeypatch.setenv("TELEMETRY_HUB_STORAGE__DATABASE_URL", url)

    text = render(load_settings(config))

    assert "hunter2" not in text
    assert "ann" in text
    tomllib.loads(text)
