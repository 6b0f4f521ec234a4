"""The bridge's settings: what is refused, by which name, and what is never shown."""

from pathlib import Path

import pytest

from bridge.filters import overlap
from bridge.settings import BridgeSettings, load_settings
from hub.errors import SettingsError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mqtt_url", "http://secret-host"),
        ("mqtt_url", "mqtt://127.0.0.1:99999"),
        ("hub_url", "ws://me:secret@127.0.0.1/ws"),
        ("filters", ["devices/+/telemetry", "devices/#"]),
        ("filters", ["a/#/b"]),
        ("filters", []),
        ("mqtt_version", "4"),
        ("transaction_messages", 1000),
        ("health_port", -1),
        ("colour", "red"),
    ],
)
def test_a_wrong_setting_names_its_key_and_not_its_value(key: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {key: value})

    assert key in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_variable_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_BRIDGE_MQTT_ULR", "mqtt://127.0.0.1")
    with pytest.raises(SettingsError, match="TELEMETRY_BRIDGE_MQTT_ULR"):
        load_settings()


def test_the_file_and_a_variable_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('client_id = "from-file"\nfilters = ["a/+", "b/#"]\nlinger_ms = 1\n', encoding="utf-8")
    monkeypatch.setenv("TELEMETRY_BRIDGE_LINGER_MS", "2")
    settings = load_settings(file).settings

    assert (settings.client_id, settings.filters, settings.linger_ms) == ("from-file", ("a/+", "b/#"), 2)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "+/b", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a/b/c", False),
        ("a/+", "b/+", False),
        ("a", "a/b", False),
        ("+/x/#", "a/y/#", False),
    ],
)
def test_overlapping_filters_are_found_both_ways(one: str, other: str, expected: bool) -> None:
    a, b = tuple(one.split("/")), tuple(other.split("/"))

    assert overlap(a, b) is expected
    assert overlap(b, a) is expected


def test_an_address_is_shown_without_its_credentials() -> None:
    settings = BridgeSettings(mqtt_url="mqtts://me:pass%40word@broker")
    endpoint = settings.mqtt

    assert str(endpoint) == "mqtts://broker:8883"
    assert (endpoint.username, endpoint.password, endpoint.tls) == ("me", "pass@word", True)


def test_every_setting_has_its_row_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "bridge-settings.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}

    assert rows == set(BridgeSettings.model_fields)
