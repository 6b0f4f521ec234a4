"""Logs."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hub.observe.logs import REDACTED, configure_logs, redact


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_elsewhere_than_on_a_terminal_each_event_is_one_json_line() -> None:
    output = io.StringIO()
    configure_logs(stream=output)

    structlog.get_logger("hub.test").info("connection opened", peer="10.0.0.1", passcode="hunter2")

    record = json.loads(output.getvalue())
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "connection opened",
        "level": "info",
        "logger": "hub.test",
        "peer": "10.0.0.1",
        "passcode": REDACTED,
    }


def test_on_a_terminal_events_are_for_reading() -> None:
    output = Terminal()
    configure_logs(stream=output)

    structlog.get_logger("hub.test").warning("slow reader", password="hunter2")

    assert "slow reader" in output.getvalue()
    assert "hunter2" not in output.getvalue()
    assert not output.getvalue().startswith("{")


def test_libraries_log_the_same_way() -> None:
    output = io.StringIO()
    configure_logs(stream=output)

    logging.getLogger("tornado.access").warning("%s from %s", "421 GET /", "10.0.0.1")

    assert json.loads(output.getvalue())["event"] == "421 GET / from 10.0.0.1"


def test_the_level_is_kept() -> None:
    output = io.StringIO()
    configure_logs("warning", stream=output)

    structlog.get_logger("hub.test").info("not shown")
    logging.getLogger("asyncpg").info("not shown")

    assert output.getvalue() == ""


def test_the_text_of_an_exception_is_cleaned_too() -> None:
    output = io.StringIO()
    configure_logs(stream=output)

    def connect() -> None:
        raise ConnectionError("postgresql://hub:hunter2@db/telemetry refused")

    try:
        connect()
    except ConnectionError:
        structlog.get_logger("hub.test").exception("database away")

    assert "ConnectionError" in output.getvalue()
    assert "hunter2" not in output.getvalue()


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("Authorization", "Bearer abc", REDACTED),
        ("mqtt_password", "abc", REDACTED),
        ("headers", {"login": "a", "passcode": "b"}, {"login": "a", "passcode": REDACTED}),
        ("headers", [{"passcode": "b"}], [{"passcode": REDACTED}]),
        ("url", "mqtt://user:abc@broker:1883/x", f"mqtt://user:{REDACTED}@broker:1883/x"),
        ("url", "ws://127.0.0.1:8080/ws", "ws://127.0.0.1:8080/ws"),
        ("frame", "CONNECT\nlogin:a\npasscode:hunter 2\n", f"CONNECT\nlogin:a\npasscode:{REDACTED}\n"),
        ("count", 5, 5),
    ],
)
def test_credentials_are_replaced(key: str, value: object, shown: object) -> None:
    assert redact(None, "info", {key: value}) == {key: shown}


def test_a_text_that_looks_like_a_thousand_addresses_is_cleaned_at_once() -> None:
    """With an expression that goes back this takes a minute and more."""
    text = "://a:" * 40_000

    assert redact(None, "", {"event": text}) == {"event": text}
