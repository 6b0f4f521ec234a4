"""What the bridge says of itself: its status, on a topic of its own, and its metrics."""

import json

from prometheus_client import generate_latest

from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


async def test_a_refused_status_costs_one_reconnection_and_no_message(broker: ScriptedBroker, sink: StompSink) -> None:
    sink.refuse_status = True
    async with running(broker.url, sink.url) as bridge:
        await wait_until(lambda: len(sink.connects) == 2)
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])
        counts = bridge.relay.counts

    assert (len(sink.statuses), counts.refused, counts.dropped["poison"]) == (1, 0, 0)


async def test_state_last_error_and_lag_are_in_the_status_and_in_the_metrics(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    async with running(broker.url, sink.url, client_id="line/1") as bridge:
        sink.hold = True
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: sink.count == 1)
        broker.cut()
        await wait_until(lambda: sink.statuses and json.loads(sink.statuses[-1].body)["mqtt"]["last_error"])
        seen = json.loads(sink.statuses[-1].body)
        metrics = generate_latest(bridge.registry).decode()
        sink.release()

    assert sink.statuses[-1].headers["destination"] == "/topic/$SYS/bridge/line%2F1"
    assert (seen["bridge"], seen["hub"]["state"], seen["held"]["messages"]) == ("line/1", "connected", 1)
    assert seen["lag_s"] > 0
    assert seen["mqtt"]["last_error"]["text"].startswith("the connection was lost")
    assert 'bridge_last_error{side="mqtt",text="the connection was lost' in metrics
    assert "bridge_lag_seconds 0.0\n" not in metrics
