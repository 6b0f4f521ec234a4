"""The hub's settings: what is refused because it would look right and be wrong."""

import pytest

from hub.errors import SettingsError
from hub.settings.model import load_settings

ANN = {"name": "ann", "password": "correct horse"}


def _refused(overrides: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(None, overrides)
    return str(error.value)


@pytest.mark.parametrize("host", ["", " ", "\t"])
def test_an_empty_host_is_refused_because_it_would_listen_everywhere(host: str) -> None:
    text = _refused({"http": {"host": host}})

    assert "http.host (command line): is empty; say 127.0.0.1" in text


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
def test_a_host_that_cannot_be_one_is_refused(host: str) -> None:
    assert "http.host (command line): is neither a host name nor an address" in _refused({"http": {"host": host}})


@pytest.mark.parametrize("host", ["::1", "0.0.0.0", "hub.example", "müller.example", "fe80::1%eth0"])
def test_other_hosts_are_taken(host: str) -> None:
    assert host == load_settings(None, {"http": {"host": host}}).settings.http.host


def test_an_empty_allowed_host_is_refused() -> None:
    assert "http.allowed_hosts.1" in _refused({"http": {"allowed_hosts": ["hub.example", ""]}})


@pytest.mark.parametrize("key", ["name", "password"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_name_or_password_is_refused(key: str, value: str) -> None:
    assert f"users.0.{key} (command line): is empty" in _refused({"users": [{**ANN, key: value}]})


def test_a_name_that_comes_twice_is_refused_by_its_places() -> None:
    text = _refused({"users": [ANN, {**ANN, "name": "bob"}, {**ANN, "password": "other"}]})

    assert "users (command line): users.0 and users.2 have the same name" in text
    assert "correct horse" not in text


def test_a_login_is_a_user_unless_it_is_a_bridge() -> None:
    settings = load_settings(None, {"users": [ANN, {**ANN, "name": "b", "role": "bridge"}]}).settings

    assert ["user", "bridge"] == [user.role for user in settings.users]


def test_another_role_is_refused() -> None:
    assert "users.0.role (command line): Input should be 'user' or 'bridge'" in _refused(
        {"users": [{**ANN, "role": "x"}]}
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("allowed_origins", ["dash.example"], "not an origin"),
        ("allowed_origins", ["*"], "not an origin"),
        ("allowed_origins", ["https://dash.example/app"], "not an origin"),
        ("trusted_proxies", ["proxy.example"], "neither an address nor a network"),
        ("trusted_proxies", ["10.0.0.0/40"], "neither an address nor a network"),
        ("prefix", "telemetry", "not a path"),
        ("prefix", "/a b", "not a path"),
        ("prefix", "/a?b", "not a path"),
        ("prefix", "/a/../b", "not a path"),
    ],
)
def test_what_proxies_need_is_checked_at_start(key: str, value: object, problem: str) -> None:
    text = _refused({"http": {key: value}})

    assert f"http.{key}" in text
    assert problem in text


@pytest.mark.parametrize("prefix", ["/telemetry", "/telemetry/", "/a/telemetry-hub"])
def test_the_slash_at_the_end_of_a_prefix_does_not_matter(prefix: str) -> None:
    assert prefix.rstrip("/") == load_settings(None, {"http": {"prefix": prefix}}).settings.http.prefix
    assert "" == load_settings(None, {"http": {"prefix": "/"}}).settings.http.prefix
