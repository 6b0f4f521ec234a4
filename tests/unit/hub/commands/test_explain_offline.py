"""`telemetry-hub explain` without a hub: the route, the readings, or the reason."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.errors import HubError

TOPIC = "devices/press-7/telemetry"


def explain(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["explain", *arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def test_a_topic_alone_is_told_its_route() -> None:
    output = explain(TOPIC)

    assert "devices/+/telemetry" in output
    assert "press-7" in output


def test_a_payload_gives_its_readings() -> None:
    answer = json.loads(explain(TOPIC, '{"temperature":21.5}', "--json"))

    assert answer["outcome"] == "readings"
    assert [(one["metric"], one["v"]) for one in answer["readings"]] == [("temperature", 21.5)]


def test_a_payload_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "payload").write_bytes(b'{"a":true}')

    assert "true" in explain(TOPIC, f"@{tmp_path / 'payload'}")


def test_a_refusal_tells_why_with_status_1() -> None:
    assert "duplicate_key" in explain(TOPIC, '{"a":1,"a":2}', status=1)


def test_old_state_tells_why_it_gives_nothing() -> None:
    assert "1 retained without a device time" in explain(TOPIC, '{"a":1}', "--retained", status=1)


def test_what_devices_write_cannot_steer_the_terminal() -> None:
    output = explain("a/\x1b]0;owned\x07", '{"\\u001b[31mred":1,"text":"\\u009b2J[/red]"}', status=1)

    assert not {"\x1b", "\x07", "\x9b"}.intersection(output)
    assert "\\x1b]0;owned" in output


def test_a_topic_of_a_stomp_client_without_a_route() -> None:
    assert "no route takes it" in explain("chat/room", "hello", "--direct", status=1)


def test_routes_of_the_settings_are_asked(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text('[[telemetry.routes]]\nfilter = "plant/+/x"\n')

    assert "plant/+/x" in explain("plant/a/x", '{"a":1}', "--config", str(config))


@pytest.mark.parametrize("arguments", [("a/+/b",), (TOPIC, "@/does/not/exist"), (TOPIC, "{}", "--live")])
def test_what_cannot_be_explained_names_the_argument(arguments: tuple[str, ...]) -> None:
    with pytest.raises(HubError, match=r"TOPIC|PAYLOAD"):
        CliRunner().invoke(app, ["explain", *arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("readings/a/b", "21"), "only the hub publishes"),
        (("readings", "21"), "only the hub publishes"),
        (("$SYS/broker/load", "21"), "only the hub publishes"),
        (("cmnd/plug/POWER", "ON"), "commands go from the hub to the broker"),
        (("readings/a/b", "21", "--direct"), "a SEND is refused"),
    ],
)
def test_a_topic_that_does_not_reach_the_hub_is_said_so(arguments: tuple[str, ...], says: str) -> None:
    output = explain(*arguments, status=1)

    assert "does not reach the hub" in output
    assert says in " ".join(output.split())


def test_a_topic_that_the_default_filter_does_not_match_names_the_filter_it_needs() -> None:
    assert "a bridge needs $aws/# for it" in explain("$aws/things/a", '{"t":21}', status=1)
    assert "a bridge needs" not in explain(TOPIC, '{"t":21}')


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_names_are_whole_however_narrow_the_terminal_is(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    device = "plant/" + "long-name-of-a-device-" * 6
    metric = "a.name.of.a.metric." * 8 + "end"

    output = explain(device, json.dumps({"time": "2026-01-01T00:00:00.123456Z", metric: 21.5}))

    assert device in output
    assert metric in output
    assert "2026-01-01T00:00:00.123456Z" in output
    assert "…" not in output


@pytest.mark.parametrize(
    ("topic", "payload", "status", "says"),
    [
        ("a/b", '{"d":[1,2],"e":1}', 0, "arrays = true"),
        ("a/b", '{"a":nan,"b":1}', 1, "the sender may leave the value out"),
        ("a/b", '{"tst":1764410400,"a":1}', 0, "tst looks like a time"),
        ("a/b", '{"sampleTime":"2025-11-29T10:00:00Z","a":1}', 0, "sampleTime looks like a time"),
        ("tele/t1/SENSOR", '{"Time":"2025-11-29T10:00:00"}', 1, "see whether the sensor is configured"),
    ],
)
def test_a_remark_says_what_to_do(topic: str, payload: str, status: int, says: str) -> None:
    assert says in explain(topic, payload, status=status)


def test_what_was_tolerated_is_told(tmp_path: Path) -> None:
    (tmp_path / "payload").write_bytes(b'{"a":1}\0')

    output = explain("a/b", f"@{tmp_path / 'payload'}")

    assert "tolerated nul: 1" in output
    assert "send `strlen` bytes" in output


def test_a_local_time_ahead_says_which_setting_is_missing() -> None:
    output = explain("tele/t1/SENSOR", '{"Time":"2099-01-01T00:00:00","A":{"T":1}}', status=1)

    assert "the time names no zone and was taken for UTC" in output
    assert "telemetry.zone" in output


def test_a_zone_counts_for_topics_of_known_firmwares(tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text('[telemetry]\nzone = "Europe/Berlin"\n')

    output = explain("tele/t1/SENSOR", '{"Time":"2025-07-01T12:00:00","A":{"T":1}}', "--config", str(config))

    assert "2025-07-01T10:00:00.000Z" in output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ('decoder = "tasmota"\nnumbers = "text"', "no numbers"),
        ('decoder = "influx"\narrays = true', "no arrays"),
        ('decoder = "homie"\nzone = "Europe/Berlin"', "no zone"),
        ('decoder = "sparkplug"\nencoding = "latin-1"\nmetric_level = 1', "no encoding and no metric_level"),
    ],
)
def test_an_option_that_the_decoder_would_ignore_stops_the_start(tmp_path: Path, options: str, says: str) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(f'[[telemetry.routes]]\nfilter = "a/+"\n{options}\n')

    with pytest.raises(Exception, match=says):
        CliRunner().invoke(app, ["explain", "a/b", "--config", str(config)], catch_exceptions=False)
