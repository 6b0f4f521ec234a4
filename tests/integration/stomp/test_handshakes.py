"""How people's clients and proxies ask for the WebSocket, and what each is told: tests/vectors/handshakes.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, WebSocketOctets

ROWS = json.loads((Path(__file__).parents[2] / "vectors/handshakes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=[row["what"] for row in ROWS])
def test_a_handshake(row: dict[str, Any], tmp_path: Path) -> None:
    with RunningHub(tmp_path, http=row.get("http")) as hub:
        headers = dict(row.get("headers", {}))
        host = headers.pop("Host", None)
        octets = WebSocketOctets(
            hub.port, path=row["path"], host=host, headers=headers, upgrade=row.get("upgrade", True)
        )
        with RawStomp(octets) as client:
            assert (row["status"], row.get("subprotocol")) == (
                octets.status,
                octets.response.get("sec-websocket-protocol"),
            )
            if "says" in row:
                assert row["says"] in octets.body()
            if row["status"] == 101:
                connect(client, row.get("connect", "CONNECTED"))


def connect(client: RawStomp, outcome: str) -> None:
    client.send("CONNECT\naccept-version:1.2\n\n^@")
    if outcome == "CONNECTED":
        client.expect("CONNECTED")
        return
    # A row that is about proxies has a client that the hub must not take for a local one.
    assert outcome in client.expect_error("Bad CONNECT").body.decode()
