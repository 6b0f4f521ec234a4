"""`telemetry-hub explain --live` tells what becomes of messages as they arrive at a running hub; device states live."""

import json
import subprocess
from pathlib import Path

import orjson

from hub.processes import child_process
from tests.support.hub import RunningHub
from tests.support.raw_stomp import tcp
from tests.support.waiting import wait_for

TOPIC = "devices/press-7/telemetry"


def test_messages_are_explained_as_they_arrive(tmp_path: Path) -> None:
    with RunningHub(tmp_path) as hub:
        command = [child_process.program("telemetry-hub"), "explain", "devices/#", "--live", "--hub-url", hub.ws_url]
        options = ["--count", "2", "--for", "20", "--json"]
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as asking:
            wait_for(lambda: hub.look(lambda app: app.broker.subscriptions) == 1)
            with tcp(hub.stomp_port) as device:
                device.connect()
                for body in ('{"a":1}', "{"):
                    device.send(f"SEND\ndestination:/topic/{TOPIC}\n\n{body}^@")
                output, _ = asking.communicate(timeout=20)

    first, second = (json.loads(line) for line in output.splitlines())
    assert (first["outcome"], first["readings"][0]["metric"]) == ("readings", "a")
    assert (second["outcome"], second["reason"]) == ("quarantine", "not_json")


def test_a_devices_state_comes_live_and_with_replay_also_after_a_restart(tmp_path: Path, database_url: str) -> None:
    def replayed(hub: RunningHub) -> list[object]:
        with tcp(hub.stomp_port) as stomp:
            stomp.connect()
            stomp.send(
                "SUBSCRIBE\nid:0\ndestination:/topic/$SYS/devices/#\nreplay:last\n\n^@BEGIN\ntransaction:t\nreceipt:r\n\n^@"
            )
            states: list[object] = []
            while (frame := stomp.frame()).command == "MESSAGE":
                state = orjson.loads(frame.body)
                states.append((state["device"], state["online"], state["state"]))
            return states

    with RunningHub(tmp_path, database_url=database_url) as hub:
        with tcp(hub.stomp_port) as device:
            device.connect()
            device.send("SEND\ndestination:/topic/tele/t1/LWT\nreceipt:1\n\nOffline^@")
            assert device.frame().command == "RECEIPT"

        assert replayed(hub) == [("t1", False, "Offline")]

        hub.restart()
        wait_for(lambda: replayed(hub) == [("t1", False, "Offline")])
