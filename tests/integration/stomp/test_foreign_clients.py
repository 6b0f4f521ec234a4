"""Two more foreign clients: stompit (Node.js, TCP) and webstomp-client (browsers), each in one conversation."""

import uuid
from urllib.parse import urlsplit

import pytest

from tests.support.hub import RunningHub
from tests.support.stomp_js import NodeStompJs

BEAT_MS = 500
CLIENTS = ["stompit", "webstomp-client"]


def converse(hub: RunningHub, client: str, version: str, *, refused: bool) -> dict[str, object]:
    """Run the conversation of stompjs/foreign.mjs; `refused`: it ends with an ERROR, else with DISCONNECT."""
    parameters = {
        "url": hub.ws_url,
        "host": urlsplit(hub.http_url).hostname,
        "port": hub.stomp_port,
        "name": uuid.uuid4().hex[:8],
        "version": version,
        "beatMs": BEAT_MS,
        "refused": refused,
    }
    return NodeStompJs("foreign.mjs").start(client, parameters).result()


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_conversation_from_connect_to_disconnect(quick_hub: RunningHub, client: str, version: str) -> None:
    result = converse(quick_hub, client, version, refused=False)

    assert {
        "subscribed": True,
        "receipt": True,
        "body": "Grüße, 雪 😀",
        "large": True,
        "redelivered": ["2", "true"],
        "queue": 0,
        "transaction": ["a", "b"],
        "topic": 0,
        "alive": True,
        "left": True,
    } == result


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_is_told_by_the_client(quick_hub: RunningHub, client: str) -> None:
    result = converse(quick_hub, client, "1.2", refused=True)

    assert "Bad destination" in str(result["error"])
