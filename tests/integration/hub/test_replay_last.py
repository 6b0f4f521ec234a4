"""`replay:last` on readings, through the real hub and Postgres."""

from pathlib import Path

import orjson

from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, tcp
from tests.support.waiting import wait_for


def connected(hub: RunningHub) -> RawStomp:
    stomp = tcp(hub.stomp_port)
    stomp.connect()
    return stomp


def replayed(hub: RunningHub, destination: str) -> dict[str, object]:
    """Subscribe and give the values that come before the answer to a later frame."""
    with connected(hub) as stomp:
        stomp.send(
            f"SUBSCRIBE\nid:0\ndestination:{destination}\nreplay:last\n\n^@BEGIN\ntransaction:t\nreceipt:r\n\n^@"
        )
        values: dict[str, object] = {}
        while (frame := stomp.frame()).command == "MESSAGE":
            reading = orjson.loads(frame.body)
            values[f"{reading['device']}/{reading['metric']}"] = reading["v"]
        assert frame.headers["receipt-id"] == "r"
        return values


def test_a_subscriber_begins_with_the_newest_reading_of_each_series_also_after_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    with RunningHub(tmp_path, database_url=database_url) as hub:
        with connected(hub) as device:
            for number, (ts, value) in enumerate(((1_700_000_002_000, 2.5), (1_700_000_001_000, 1.5))):
                body = orjson.dumps({"ts": ts, "temperature": value, "state": "on"}).decode()
                device.send(f"SEND\ndestination:/topic/devices/d/telemetry\nreceipt:{number}\n\n{body}^@")
                assert device.frame().command == "RECEIPT"

        assert {"d/temperature": 2.5, "d/state": "on"} == replayed(hub, "/topic/readings/#")
        assert {"d/state": "on"} == replayed(hub, "/topic/readings/+/state")

        hub.restart()
        wait_for(lambda: len(replayed(hub, "/topic/readings/d/#")) == 2)
        assert {"d/temperature": 2.5, "d/state": "on"} == replayed(hub, "/topic/readings/#")

        with connected(hub) as device:
            device.send("SUBSCRIBE\nid:0\ndestination:/topic/readings/#\n\n^@")
            device.send('SEND\ndestination:/topic/devices/d/telemetry\n\n{"ts":1700000001500,"temperature":2}^@')
            assert orjson.loads(device.frame().body)["late"] is True, (
                "one with a later time was stored before the restart"
            )
