"""The examples of docs/how-to/connect-a-dashboard.md do what they say, as they stand there but for the ports."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hub.settings.model import UserSettings
from tests.support.browser import running_browser
from tests.support.hub import RunningHub
from tests.support.programs import require_node
from tests.support.raw_stomp import RawStomp, tcp
from tests.support.stomp_js import HERE, install
from tests.support.waiting import wait_for

PAGE = Path(__file__).parents[3] / "docs/how-to/connect-a-dashboard.md"


def example(language: str, number: int, hub: RunningHub) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    code: str = blocks[number]
    return code.replace("61613", str(hub.stomp_port)).replace(":8080", f":{hub.port}")


@pytest.fixture(scope="module")
def guarded_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """The hub of the examples, with their user."""
    users = (UserSettings.model_validate({"name": "ann", "password": "correct horse"}),)
    with RunningHub(tmp_path_factory.mktemp("hub"), users=users) as running:
        yield running


@pytest.fixture
def device(guarded_hub: RunningHub) -> Iterator[RawStomp]:
    """A device that is connected."""
    with tcp(guarded_hub.stomp_port) as client:
        client.connect("1.2", "login:ann", "passcode:correct horse")
        yield client


def report(device: RawStomp, celsius: float) -> None:
    device.send("SEND\ndestination:/topic/devices/press-7/telemetry\n\n" + f'{{"temperature":{celsius}}}^@')


def first_line(command: list[str], directory: Path, hub: RunningHub, device: RawStomp) -> str:
    before = hub.look(lambda app: app.broker.subscriptions)
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            wait_for(lambda: hub.look(lambda app: app.broker.subscriptions) > before)
            report(device, 21.5)
            assert process.stdout is not None
            return process.stdout.readline()
        finally:
            process.kill()


def test_the_python_example(guarded_hub: RunningHub, device: RawStomp, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(example("python", 0, guarded_hub))
    line = first_line([sys.executable, "watch.py"], tmp_path, guarded_hub, device)
    assert "press-7 temperature 21.5\n" == line


def test_the_node_example(guarded_hub: RunningHub, device: RawStomp, tmp_path: Path) -> None:
    install()
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    (tmp_path / "watch.mjs").write_text(example("js", 1, guarded_hub))
    line = first_line([require_node(), "watch.mjs"], tmp_path, guarded_hub, device)
    assert line.startswith('{"device":"press-7","metric":"temperature","t":"')


def test_the_page_example(guarded_hub: RunningHub, device: RawStomp) -> None:
    install()
    imported, _, code = example("js", 0, guarded_hub).partition("\n")
    names = re.search(r"{(.*)}", imported)
    assert names is not None
    with running_browser() as browser:
        page = browser.new_page()
        page.add_init_script(path=HERE / "node_modules/@stomp/stompjs/bundles/stomp.umd.js")
        page.goto(f"{guarded_hub.http_url}/livez")
        page.evaluate(f"() => {{ const {{{names[1]}}} = StompJs; {code} }}")
        wait_for(lambda: guarded_hub.look(lambda app: app.broker.subscriptions))
        report(device, 22.5)
        expect(page.locator("body")).to_contain_text("temperature: 22.5")
