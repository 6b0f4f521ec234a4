"""@stomp/stompjs against the hub, in Node.js and in Chromium: what a dashboard's page does."""

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from hub.processes.supervisor import Supervisor
from tests.support.hub import NO_DATABASE, RunningHub, hub_command
from tests.support.stomp_js import NodeStompJs, StompJs, page_stompjs
from tests.support.waiting import wait_for

VERSIONS = ["1.0", "1.1", "1.2"]
SPLIT = {"splitLargeFrames": True, "maxWebSocketChunkSize": 8 * 1024}


@pytest.fixture(scope="module")
def chromium() -> Iterator[StompJs]:
    """One browser for the module."""
    with page_stompjs() as page:
        yield page


@pytest.fixture(params=["node", "chromium"])
def stompjs(request: pytest.FixtureRequest) -> StompJs:
    """Where the client runs."""
    if request.param == "node":
        return NodeStompJs()
    browser: StompJs = request.getfixturevalue("chromium")
    return browser


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex[:8]


# stompjs escapes values in 1.2 only, and un-escapes one sequence after the other.
@pytest.mark.parametrize(("version", "key"), [("1.0", "a:b\\c"), ("1.1", "plain"), ("1.2", "a:b\nc\rd")])
def test_bodies_of_any_kind_and_size(stompjs: StompJs, hub: RunningHub, name: str, version: str, key: str) -> None:
    parameters = {"url": hub.ws_url, "name": name, "options": {"versions": [version]}, "key": key}
    result = stompjs.start("bodies", parameters).result()

    assert {"version": version, "echoed": [True] * 7, "binary": result["expected"]} == _without(result, "expected")


@pytest.mark.parametrize("binary", [False, True])
def test_large_frames_split_over_many_messages(stompjs: StompJs, hub: RunningHub, name: str, binary: bool) -> None:
    """Text is cut between UTF-16 units, so a pair of surrogates may be lost in the client, whatever the hub does."""
    options = {**SPLIT, "forceBinaryWSFrames": binary}
    parameters = {"url": hub.ws_url, "name": name, "options": options, "key": "k"}
    result = stompjs.start("bodies", parameters).result()

    assert [True] * 6 == result["echoed"][:6]
    assert result["expected"] == result["binary"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("ack", "again"), [("client", ["1", "2"]), ("client-individual", ["2"])])
def test_acknowledging(stompjs: StompJs, hub: RunningHub, name: str, version: str, ack: str, again: list[str]) -> None:
    options = {"versions": [version]}
    result = stompjs.start("acknowledge", {"url": hub.ws_url, "name": name, "options": options, "ack": ack}).result()

    assert {"first": ["false"] * 3, "again": [[body, "true"] for body in again], "closed": True} == result


def test_transactions_and_unsubscribe(stompjs: StompJs, hub: RunningHub, name: str) -> None:
    transactions = stompjs.start("transactions", {"url": hub.ws_url, "name": name})
    unsubscribe = stompjs.start("unsubscribe", {"url": hub.ws_url, "name": f"{name}-2"})

    assert {"bodies": ["before", "1", "2"], "more": 0} == transactions.result()
    result = unsubscribe.result()
    assert 0 == result["messages"]
    assert 1000 == result["close"]["code"]


def test_an_error_is_seen_before_the_close(stompjs: StompJs, hub: RunningHub) -> None:
    result = stompjs.start("refusal", {"url": hub.ws_url}).result()

    assert ("Bad destination (/nowhere)", "r") == (
        result["error"]["headers"]["message"],
        result["error"]["headers"]["receipt-id"],
    )
    assert {"code": 1002, "reason": "Bad destination"} == result["close"]


def test_heart_beats_come_and_a_mute_page_is_ended(stompjs: StompJs, quick_hub: RunningHub) -> None:
    beating = stompjs.start("heartBeats", {"url": quick_hub.ws_url, "beats": 3})
    mute = stompjs.start("mute", {"url": quick_hub.ws_url})

    assert {"connected": True} == beating.result()
    assert {"close": {"code": 1002, "reason": "heart-beat timeout"}} == mute.result()


def test_a_hub_that_hangs_is_noticed(stompjs: StompJs, tmp_path: Path) -> None:
    config = tmp_path / "hub.toml"
    config.write_text("[limits]\nheart_beat_min_s = 0.5\n")
    command = hub_command(tmp_path, "--config", str(config), "--database-url", NO_DATABASE)
    with Supervisor(tmp_path / "logs") as supervisor:
        hub = supervisor.start("hub", command)
        http_url, ws_url, *_ = hub.wait_ready(20)
        lost = stompjs.start("hubLost", {"url": ws_url})
        wait_for(lambda: "hub_subscriptions 1.0" in _metrics(http_url))

        hub.process.send_signal(signal.SIGSTOP)
        try:
            assert {"noticed": True} == lost.result()
        finally:
            hub.process.send_signal(signal.SIGCONT)


def test_a_page_comes_back_after_the_hub_restarted(stompjs: StompJs, tmp_path: Path, name: str) -> None:
    with RunningHub(tmp_path) as hub:
        page = stompjs.start("reconnect", {"url": hub.ws_url, "name": name})
        wait_for(lambda: hub.look(lambda app: app.broker.subscriptions))

        hub.restart()

        result = page.result()
        assert 1001 == result["close"]["code"]
        assert "after" == result["body"]


def _metrics(http_url: str) -> str:
    with urlopen(f"{http_url}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def _without(result: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in result.items() if name != key}
