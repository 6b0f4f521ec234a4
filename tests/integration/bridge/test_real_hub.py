"""The bridge against the real hub, without a database: topics that no telemetry route takes get their receipts anyway."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.raw_stomp import ServerFrame, websocket
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def hub_url(tmp_path: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "serve", "--port", "0", "--stomp-port", "0"),
        *("--database-url", "postgresql://nobody@127.0.0.1:1/none", "--data-dir", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("ready ")
    try:
        yield next(word for word in line.split() if word.startswith("ws://"))
    finally:
        process.terminate()
        await process.communicate()


async def test_all_is_acknowledged_in_order_and_what_the_hub_refuses_does_not_block(
    broker: ScriptedBroker, hub_url: str
) -> None:
    too_long = "other/" + "x" * 9000  # a header line above the hub's 8 KiB
    packets = [publish(too_long if mid == 250 else "other/topic", b"%d" % mid, mid) for mid in range(1, 2001)]
    packets[699] = publish("other/big", b"x" * 2_000_000, 700)  # a body above the hub's 1 MiB
    packets[799] = publish("other/large", b"\0" * 1_000_000, 800)  # and one below it
    async with running(broker.url, hub_url, reconnect_max_s=0.05, message_bytes=4_000_000) as bridge:
        broker.send(b"".join(packets))
        await wait_until(lambda: len(broker.acknowledged) == 2000, 40)
    dropped = bridge.relay.counts.dropped

    assert broker.acknowledged == list(range(1, 2001))
    assert dropped["poison"] == 1
    assert dropped["unsendable"] == 1  # the topic


async def test_a_bridge_reports_on_its_own_topic_and_nobody_else_may(broker: ScriptedBroker, hub_url: str) -> None:
    port = urlsplit(hub_url).port or 0

    def watch() -> list[ServerFrame]:
        with websocket(port) as watcher:
            watcher.connect()
            watcher.send("SUBSCRIBE\nid:0\ndestination:/topic/$SYS/bridge/+\n\n^@")
            return [watcher.frame() for _ in range(2)]

    def forge(*headers: str) -> None:
        with websocket(port) as forger:
            forger.connect("1.2", *headers)
            forger.send("SEND\ndestination:/topic/$SYS/bridge/line 1\nreceipt:r\n\n{}^@")
            forger.expect_error("Not allowed", "r")

    async with running(broker.url, hub_url, name="line 1"):
        reports = await asyncio.to_thread(watch)
        await asyncio.to_thread(forge)
        await asyncio.to_thread(forge, "telemetry-bridge:line 2")

    assert [json.loads(report.body)["bridge"] for report in reports] == ["line 1", "line 1"]
    assert json.loads(reports[0].body)["mqtt"]["state"] == "connected"
