"""Which pages may use the hub."""

import pytest

from hub.http.origins import AllowedOrigins, parse_origin


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "hub.example"),
        ("https://hub.example", "hub.example"),
        ("https://hub.example", "hub.example:443"),
        ("https://hub.example:443", "hub.example"),
        ("http://hub.example", "hub.example:80"),
        ("http://hub.example:80", "hub.example"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[0:0:0:0:0:0:0:1]:8080"),
        ("HTTPS://Hub.Example", "hub.example"),
        ("https://hub.example.", "hub.example"),
    ],
)
def test_the_hubs_own_pages_may_whichever_way_the_default_port_is_written(origin: str | None, host: str) -> None:
    assert AllowedOrigins().allows(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "hub.example"),
        ("http://localhost:5173", "127.0.0.1:8080"),
        ("http://127.0.0.1:9999", "127.0.0.1:8080"),
        ("https://hub.example", "hub.example:80"),
        ("http://hub.example", "hub.example:443"),
        ("https://hub.example", None),
        ("https://hub.example", "hub.example:8080:1"),
        ("null", "hub.example"),
        ("", "hub.example"),
        ("file://", "hub.example"),
        ("ftp://hub.example", "hub.example"),
        ("hub.example", "hub.example"),
        ("https://evil.example@hub.example", "hub.example"),
        ("https://hub.example/path", "hub.example"),
        ("https://hub.example, https://evil.example", "hub.example"),
    ],
)
def test_other_pages_may_not(origin: str, host: str | None) -> None:
    assert not AllowedOrigins().allows(origin, host)


@pytest.mark.parametrize("origin", ["https://dash.example", "https://dash.example:443", "http://localhost:5173"])
def test_a_page_that_the_operator_named_may(origin: str) -> None:
    origins = AllowedOrigins(["https://Dash.example:443", "http://localhost:5173"])
    assert origins.allows(origin, "127.0.0.1:8080")
    assert origins.allows("http://127.0.0.1:8080", "127.0.0.1:8080"), "the hub's own still may"


@pytest.mark.parametrize("origin", ["http://dash.example", "https://dash.example:8443", "https://sub.dash.example"])
def test_a_named_page_is_that_one_alone(origin: str) -> None:
    assert not AllowedOrigins(["https://dash.example"]).allows(origin, "127.0.0.1:8080")


@pytest.mark.parametrize("text", ["dash.example", "*", "https://", "https://dash.example/app", "ws://dash.example", ""])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        parse_origin(text)
