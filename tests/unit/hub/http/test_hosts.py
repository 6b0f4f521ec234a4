"""Which Host headers are ours."""

import pytest

from hub.http.hosts import AllowedHosts


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "127.0.0.1:8080",
        "127.3.2.1",
        "[::1]:8080",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
    ],
)
def test_loopback_is_always_ours(header: str) -> None:
    assert AllowedHosts().allows(header)


@pytest.mark.parametrize(
    "header", ["hub.example.com", "HUB.example.com:443", "hub.example.com.", "10.0.0.5:80", "[fe80::1]"]
)
def test_the_operators_names_are_ours_with_any_port(header: str) -> None:
    assert AllowedHosts(["Hub.example.com", "10.0.0.5", "fe80:0::1"]).allows(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example,localhost",
        "localhost:8080:1",
        "localhost@evil.example",
        "user@localhost",
        "127.1",
        "2130706433",
        "::1",
        "[::1",
        "[::1%25eth0]",
        "localhost\n",
        " localhost",
        "0.0.0.0",
        "169.254.169.254",
    ],
)
def test_everything_else_is_refused(header: str | None) -> None:
    assert not AllowedHosts(["hub.example.com"]).allows(header)
