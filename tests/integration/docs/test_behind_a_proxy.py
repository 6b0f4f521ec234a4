"""docs/how-to/behind-a-proxy.md: its settings are taken, its blocks make a proxy through which page and WebSocket work."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from hub.settings.model import UserSettings
from tests.support.browser import DEADLINE_MS, Complaints, running_browser
from tests.support.hub import RunningHub
from tests.support.programs import require_program
from tests.support.raw_stomp import RawStomp, WebSocketOctets
from tests.support.reverse_proxies import Caddy, Nginx

PAGE = Path(__file__).parents[3] / "docs/how-to/behind-a-proxy.md"
NAME = "dash.example"
OUTSIDER = {"X-Forwarded-For": "203.0.113.7"}
"""As if nginx had it from another proxy, or from a client that lies: nginx adds the address of its own peer."""


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def behind(
    tmp_path: Path, *, users: bool = True, stripped: bool = True, http: dict[str, object] | None = None
) -> Iterator[tuple[RunningHub, int]]:
    """Run a hub with the page's settings behind the page's nginx; the hub and the proxy's port."""
    settings = tomllib.loads(block("toml"))
    known = tuple(UserSettings.model_validate(user) for user in settings["users"]) if users else ()
    http = settings["http"] if http is None else http
    with RunningHub(tmp_path / "hub", users=known, http=http) as hub:
        text = block("nginx").replace("127.0.0.1:8080/;", f"127.0.0.1:{hub.port}{'/' if stripped else ''};")
        with Nginx(tmp_path, text) as nginx:
            yield hub, nginx.port


def get(port: int, path: str, host: str = NAME) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def page_works(port: int) -> None:
    """What a browser does: the page, the files that it names, and its WebSocket."""
    answer, text = get(port, "/telemetry/")
    assert answer.status == 200, text
    files = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert any(file.endswith(".js") for file in files)
    for file in files:
        assert not file.startswith("/"), "it would be looked for at the proxy's root"
        assert get(port, urljoin("/telemetry/", file))[0].status == 200, file
    octets = WebSocketOctets(
        port, path="/telemetry/ws", host=f"{NAME}:{port}", origin=f"http://{NAME}:{port}", headers=OUTSIDER
    )
    with RawStomp(octets) as client:
        client.connect("1.2", "login:ann", "passcode:correct horse")
        client.round_trip()


@pytest.fixture(autouse=True)
def _built() -> None:
    page = Path(__file__).parents[3] / "hub/dashboard/dist/index.html"
    if not page.is_file() or not page.stat().st_size:
        pytest.skip("the page is not built: make dashboard")


def test_the_page_and_its_websocket_work_through_nginx(tmp_path: Path) -> None:
    with behind(tmp_path) as (_, port):
        page_works(port)
        answer, _ = get(port, "/telemetry")
        assert (301, True) == (answer.status, answer.headers["Location"].endswith("/telemetry/"))


def test_a_browser_shows_readings_under_the_prefix(tmp_path: Path) -> None:
    """Without users and by the address 127.0.0.1, which needs no DNS."""
    with behind(tmp_path, users=False) as (hub, port), running_browser() as browser:
        page = browser.new_page()
        complaints = Complaints(page)
        page.goto(f"http://127.0.0.1:{port}/telemetry/")
        expect(page.locator("#link")).to_have_attribute("data-state", "open", timeout=DEADLINE_MS)
        assert hub.connections == 1
        assert complaints.texts == []
        page.close()


def test_a_path_that_is_not_stripped_is_named_by_the_prefix(tmp_path: Path) -> None:
    http = {**tomllib.loads(block("toml"))["http"], "prefix": "/telemetry"}
    with behind(tmp_path, stripped=False, http=http) as (_, port):
        page_works(port)


def test_without_users_nobody_from_elsewhere_is_served(tmp_path: Path) -> None:
    with behind(tmp_path, users=False) as (_, port):
        host = f"{NAME}:{port}"
        with RawStomp(WebSocketOctets(port, path="/telemetry/ws", host=host, headers=OUTSIDER)) as outsider:
            outsider.send("CONNECT\naccept-version:1.2\n\n^@")
            assert b"[[users]]" in outsider.expect_error("Bad CONNECT").body
        with RawStomp(WebSocketOctets(port, path="/telemetry/ws", host=host)) as local:
            local.connect("1.2")
        assert get(port, "/telemetry/metrics")[0].status == 200


def test_a_proxy_that_is_not_trusted_makes_nobody_local(tmp_path: Path) -> None:
    """Everybody behind it came from 127.0.0.1, and was let in."""
    with behind(tmp_path, users=False, http={"allowed_hosts": [NAME]}) as (_, port):
        with RawStomp(WebSocketOctets(port, path="/telemetry/ws", host=NAME)) as client:
            client.send("CONNECT\naccept-version:1.2\n\n^@")
            assert b"http.trusted_proxies" in client.expect_error("Bad CONNECT").body
        answer, text = get(port, "/telemetry/metrics")
        assert answer.status == 403, text


def test_what_is_wrong_is_named_through_the_proxy(tmp_path: Path) -> None:
    with behind(tmp_path) as (_, port):
        answer, text = get(port, "/telemetry/", host="other.example")
        assert (421, True) == (answer.status, "http.allowed_hosts" in text)
        octets = WebSocketOctets(port, path="/telemetry/ws", host=f"{NAME}:{port}", origin="https://evil.example")
        assert (403, True) == (octets.status, "http.allowed_origins" in octets.body())
        octets.close()
        assert get(port, "/telemetry/metrics")[0].status == 200, "the proxy says that its client is on this machine"


@pytest.mark.minutes
def test_the_page_works_through_caddy(tmp_path: Path) -> None:
    """Its short siblings are nginx's; `make soak` installs it."""
    require_program("caddy")
    settings = tomllib.loads(block("toml"))
    users = tuple(UserSettings.model_validate(user) for user in settings["users"])
    with (
        RunningHub(tmp_path / "hub", users=users, http=settings["http"]) as hub,
        Caddy(tmp_path, block("caddy").replace("127.0.0.1:8080", f"127.0.0.1:{hub.port}")) as caddy,
    ):
        page_works(caddy.port)
