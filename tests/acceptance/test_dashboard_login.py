"""The page at a hub that has users, and what it does with names that are not meant well."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import stomp
from playwright.sync_api import Page, expect

from hub.processes import child_process
from hub.processes.supervisor import Supervisor
from tests.support.browser import DEADLINE_MS, Complaints, running_browser

LOGIN, PASSCODE = "ann", "correct horse"
# Nothing listens there: the page shows live readings without a database too.
NO_DATABASE = "postgresql://127.0.0.1:1/none"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The web address of a hub that knows one user."""
    config = tmp_path / "hub.toml"
    config.write_text(f'[[users]]\nname = "{LOGIN}"\npassword = "{PASSCODE}"\n', encoding="utf-8")
    command = [child_process.program("telemetry-hub"), "serve", "--config", str(config), "--port", "0"]
    command += ["--stomp-port", "0", "--database-url", NO_DATABASE, "--data-dir", str(tmp_path / "data")]
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start("hub", command)
        yield child.wait_ready(30)[0]
        # A graceful stop would wait for the database that does not come.
        child.process.kill()
        child.process.wait()
        supervisor.forget(child)


def test_a_person_signs_in_and_names_from_devices_stay_text(hub: str, tmp_path: Path) -> None:
    with running_browser() as browser:
        page = browser.new_page(viewport={"width": 1360, "height": 860})
        page.set_default_timeout(DEADLINE_MS)
        complaints = Complaints(page)
        page.goto(hub)

        sign_in(page, "wrong")
        expect(page.get_by_text("The hub does not know this login and passcode.")).to_be_visible()
        page.screenshot(path=tmp_path / "login.png")
        sign_in(page, PASSCODE)
        expect(page.locator("#link")).to_have_text("Live")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("heading", name="Connected, waiting for the first reading")).to_be_visible()
        page.screenshot(path=tmp_path / "empty.png")

        publish(hub, f"devices/{HOSTILE}/telemetry", {HOSTILE: 1.5, "state": HOSTILE, "door": True})
        expect(page.locator(".row-device")).to_have_text(HOSTILE)
        expect(page.locator(".row-series")).to_have_count(3)
        page.locator(".row-series", has_text="state").click()
        expect(page.locator("#readings-body")).to_contain_text(HOSTILE)
        page.screenshot(path=tmp_path / "hostile.png")

        assert 0 == page.locator("main img").count()
        assert [] == complaints.texts


def sign_in(page: Page, passcode: str) -> None:
    page.get_by_label("Login", exact=True).fill(LOGIN)
    page.get_by_label("Passcode").fill(passcode)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def publish(hub: str, topic: str, payload: dict[str, object]) -> None:
    """Send one message to the hub at web address `hub`, as a device does."""
    host, _, port = hub.removeprefix("http://").rpartition(":")
    device = stomp.WSStompConnection([(host, int(port))], ws_path="/ws")
    device.connect(LOGIN, PASSCODE, wait=True)
    device.send(f"/topic/{topic}", json.dumps(payload), content_type="application/json")
    device.disconnect()
