"""The bridge's settings: what is refused, by which name, and what is never shown."""

from pathlib import Path

import pytest

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
        ("filters", ["$share/group"]),
        ("filters", ["$share/a+b/#"]),
        ("commands", ["a/+", "a/b"]),
        ("commands", ["$SYS/x"]),
        ("commands", ["readings/+/set"]),
        ("commands", ["a/#/b"]),
        ("commands", ["devices/#", "+/x", "#"]),
        ("mqtt_version", "4"),
        ("mqtt_status_topic", "a/+"),
        ("mqtt_url", "mqtt://host/path"),
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


def test_an_address_is_shown_without_its_credentials() -> None:
    settings = BridgeSettings(mqtt_url="mqtts://me:pass%40word@broker")
    endpoint = settings.mqtt

    assert str(endpoint) == "mqtts://broker:8883"
    assert (endpoint.username, endpoint.password, endpoint.secure) == ("me", "pass@word", True)


@pytest.mark.parametrize(
    ("url", "shown", "path", "tls"),
    [
        ("ws://broker:8083", "ws://broker:8083/mqtt", "/mqtt", False),
        ("wss://me:x@broker/ws?token=1", "wss://broker:443/ws", "/ws?token=1", True),
        ("mqtts://[::1]", "mqtts://[::1]:8883", "", True),
    ],
)
def test_a_brokers_url_says_port_path_and_tls(url: str, shown: str, path: str, tls: bool) -> None:
    endpoint = BridgeSettings(mqtt_url=url).mqtt

    assert (str(endpoint), endpoint.path, endpoint.secure) == (shown, path, tls)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"mqtt_ca_file": "ca.pem"}, "mqtts://"),
        ({"mqtt_url": "mqtts://x", "mqtt_key_file": "key.pem"}, "mqtt_cert_file"),
    ],
)
def test_certificates_without_their_other_half_are_refused(given: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load_settings(None, given)


def test_a_session_lives_for_days_and_a_shared_one_for_a_minute() -> None:
    shared = ("$share/bridges/devices/#",)

    assert BridgeSettings().session_expiry_s == 604_800
    assert BridgeSettings(filters=shared).session_expiry_s == 60
    assert BridgeSettings(filters=shared, mqtt_session_expiry_s=5).session_expiry_s == 5


def test_the_bridge_is_called_by_its_name_or_else_its_client_id() -> None:
    assert BridgeSettings(client_id="line-1").bridge_name == "line-1"
    assert BridgeSettings(client_id="line-1", name="hall").bridge_name == "hall"


def test_every_setting_has_its_row_in_the_reference() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "bridge-settings.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}

    assert rows == set(BridgeSettings.model_fields)
