"""F21: what goes over the wire to the broker, against a scripted one, with a scripted hub behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from prometheus_client import generate_latest

from bridge.bridge import Bridge
from bridge.settings import BridgeSettings
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    broker = ScriptedBroker()
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def sink() -> AsyncIterator[StompSink]:
    sink = StompSink()
    yield sink
    await sink.stop()


def taken(sink: StompSink, count: int) -> bool:
    return sink.count == count


def relayed(sink: StompSink, number: int) -> bool:
    return b"%d" % number in sink.bodies


def connected(sink: StompSink, times: int) -> bool:
    return len(sink.connects) == times


async def test_no_puback_before_the_receipt(broker: ScriptedBroker, sink: StompSink) -> None:
    sink.hold = True
    async with running(broker.url, sink.url):
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid) for mid in range(1, 101)))
        await wait_until(lambda: sink.count == 100)

        assert broker.acknowledged == []

        sink.release()
        await wait_until(lambda: len(broker.acknowledged) == 100)

    assert broker.acknowledged == list(range(1, 101))


async def test_pubacks_leave_in_the_order_of_arrival_whatever_the_receipts_order(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url, transaction_messages=10):
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid) for mid in range(100, 0, -1)))
        await wait_until(lambda: sink.count == 100)
        sink.held.reverse()
        sink.release()
        await wait_until(lambda: len(broker.acknowledged) == 100)

    assert broker.acknowledged == list(range(100, 0, -1))


async def test_messages_of_a_former_connection_are_not_acknowledged_on_the_next(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"old", 1))
        await wait_until(lambda: sink.count == 1)
        broker.cut()
        await wait_until(lambda: broker.subscriptions == 2)
        broker.send(publish(TOPIC, b"new", 1) + publish(TOPIC, b"newer", 2))
        await wait_until(lambda: sink.count == 3)
        receipt_of_old = sink.held.pop(0)
        receipt_of_old()
        await wait_until(lambda: bridge.relay.counts.outdated == 1)

        assert broker.acknowledged == []

        sink.release()
        await wait_until(lambda: broker.acknowledged == [1, 2])

    assert sink.bodies == [b"old", b"new", b"newer"]


async def test_what_has_no_receipt_is_sent_again_to_the_next_hub_connection(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url, transaction_messages=10):
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid) for mid in range(1, 51)))
        await wait_until(lambda: sink.count == 50)
        sink.taken.clear()
        sink.cut()
        sink.hold = False
        await wait_until(lambda: len(broker.acknowledged) == 50)

    assert broker.acknowledged == list(range(1, 51))
    assert sink.bodies == [b"%d" % mid for mid in range(1, 51)]


async def test_a_receipt_that_never_comes_makes_the_bridge_connect_anew(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url, receipt_timeout_s=0.3):
        broker.send(publish(TOPIC, b"x", 7))
        await wait_until(lambda: sink.count == 1)
        sink.hold = False
        await wait_until(lambda: broker.acknowledged == [7])

    assert len(sink.connects) == 2


async def test_topic_payload_and_retained_flag_arrive_unchanged(broker: ScriptedBroker, sink: StompSink) -> None:
    topics = ["devices/a:b\\c\nd/telemetry", "/devices//a.b/", "devices/ü/telemetry"]
    body = bytes(range(256)) * 4
    async with running(broker.url, sink.url):
        broker.send(b"".join(publish(topic, body, mid, retain=mid == 2) for mid, topic in enumerate(topics, 1)))
        await wait_until(lambda: len(broker.acknowledged) == 3)

    assert [frame.headers["destination"] for frame in sink.taken] == [f"/topic/{topic}" for topic in topics]
    assert sink.bodies == [body] * 3
    assert [frame.headers.get("retained") for frame in sink.taken] == [None, "true", None]


async def test_a_message_that_the_hub_refuses_is_dropped_and_all_others_are_relayed(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.refuse.add("/topic/devices/poison/telemetry")
    poison = {33, 60}
    async with running(broker.url, sink.url, reconnect_max_s=0.02) as bridge:
        topics = ["devices/poison/telemetry" if mid in poison else TOPIC for mid in range(1, 81)]
        broker.send(b"".join(publish(topic, b"%d" % mid, mid) for mid, topic in enumerate(topics, 1)))
        last = 80
        while bridge.relay.counts.dropped["poison"] < len(
            poison
        ):  # the fleet goes on: without others nothing is proven
            last += 1
            assert last < 200
            broker.send(publish(TOPIC, b"%d" % last, last))
            await wait_until(partial(relayed, sink, last))
        await wait_until(lambda: len(broker.acknowledged) == last)

        assert bridge.relay.counts.dropped["poison"] == 2

    assert broker.acknowledged == list(range(1, last + 1))
    assert {int(body) for body in sink.bodies} == set(range(1, last + 1)) - poison


async def test_a_hub_that_refuses_everything_is_asked_less_and_less_often_and_loses_nothing(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.refuse.add(f"/topic/{TOPIC}")
    async with running(broker.url, sink.url, reconnect_max_s=0.1) as bridge:
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid) for mid in range(1, 31)))
        await wait_until(lambda: bridge.relay.counts.refused >= 20)

        assert (broker.acknowledged, bridge.relay.counts.dropped["poison"]) == ([], 0)

        sink.refuse.clear()
        await wait_until(lambda: len(broker.acknowledged) == 30)

    assert broker.acknowledged == list(range(1, 31))


async def test_topics_that_no_destination_can_be_and_too_large_messages_do_not_block(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    async with running(broker.url, sink.url, message_bytes=1000) as bridge:
        broker.send(
            publish("a/" * 100, b"deep", 1)
            + publish(TOPIC, b"x" * 200_000, 2)
            + publish(TOPIC, b"good", 3)
            + publish("a\0b", b"nul", 4)
        )
        await wait_until(lambda: broker.acknowledged == [1, 2, 3, 4])

        dropped = {"poison": 0, "unsendable": 2, "too_large": 1, "qos0_full": 0, "command": 0}
        assert bridge.relay.counts.dropped == dropped

    assert sink.bodies == [b"good"]


async def test_a_redelivery_of_a_message_still_held_is_not_relayed_twice(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: sink.count == 1)
        broker.send(publish(TOPIC, b"x", 1, dup=True) + publish(TOPIC, b"y", 2))
        await wait_until(lambda: sink.count == 2)
        sink.release()
        await wait_until(lambda: len(broker.acknowledged) == 2)

    assert broker.acknowledged == [1, 2]
    assert sink.bodies == [b"x", b"y"]


async def test_a_full_relay_stops_reading_the_broker_and_goes_on_when_the_hub_is_back(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    limits = {"unacked_messages": 1000, "transaction_messages": 100}
    async with running(broker.url, sink.url, **limits) as bridge:
        for start in range(1, 60_001, 1000):
            broker.send(b"".join(publish(TOPIC, b"x" * 1000, mid) for mid in range(start, start + 1000)))
        await wait_until(lambda: sink.count >= 1000)
        await wait_until(lambda: bridge.state()["mqtt"]["paused"])

        assert bridge.relay.messages < 1500

        sink.release()
        await wait_until(lambda: len(broker.acknowledged) == 60_000, 30)

    assert broker.acknowledged == list(range(1, 60_001))


async def test_a_stop_waits_for_the_receipts_of_what_was_taken_over(broker: ScriptedBroker, sink: StompSink) -> None:
    sink.hold = True
    async with running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: sink.count == 1)
        bridge.stop()
        await wait_until(lambda: bridge.state()["mqtt"]["paused"])
        sink.release()

    assert broker.packets == [(0x40, b"\0\x01"), (0xE0, b"")]


async def test_the_subscription_is_made_once_per_session(broker: ScriptedBroker, sink: StompSink) -> None:
    broker.session_present = True
    async with running(broker.url, sink.url):
        broker.cut()
        await wait_until(lambda: broker.connections == 2)
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])

    assert broker.subscriptions == 1


async def test_a_message_of_hundreds_of_kilobytes_goes_alone(broker: ScriptedBroker, sink: StompSink) -> None:
    big = b"\0" * 900_000
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"1", 1) + publish(TOPIC, big, 2) + publish(TOPIC, b"3", 3))
        await wait_until(lambda: broker.acknowledged == [1, 2, 3])

    assert sink.bodies == [b"1", big, b"3"]
    assert sink.largest_message < 900_000 + 200


async def test_a_hub_that_falls_silent_is_left_and_nothing_is_lost(broker: ScriptedBroker, sink: StompSink) -> None:
    sink.heart_beat = b"100,100"
    sink.hold = True
    async with running(broker.url, sink.url, hub_heart_beat_s=0.1) as bridge:
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: len(sink.connects) >= 2)
        sink.heart_beat = b"0,0"
        await wait_until(lambda: sink.count >= 2)
        sink.release()
        await wait_until(lambda: broker.acknowledged == [1])
        counts = bridge.relay.counts

    assert (counts.relayed, counts.dropped["poison"]) == (1, 0)


async def test_login_passcode_and_heart_beats_are_in_the_first_frame(broker: ScriptedBroker, sink: StompSink) -> None:
    async with running(broker.url, sink.url, hub_login="bridge", hub_passcode="pa:ss", hub_heart_beat_s=7):
        first = sink.connects[0]

    assert {name: first[name] for name in ("login", "heart-beat", "accept-version")} == {
        "login": "bridge",
        "heart-beat": "7000,7000",
        "accept-version": "1.2",
    }
    assert first["passcode"] == "pa:ss"


async def test_an_error_of_ours_ends_the_bridge_loudly(broker: ScriptedBroker, sink: StompSink) -> None:
    settings = BridgeSettings(mqtt_url=broker.url, hub_url=sink.url, health_port=0)
    bridge = Bridge(settings)
    ready = asyncio.Event()
    task = asyncio.create_task(bridge.run(lambda _: ready.set()))
    await ready.wait()
    bridge.fail(ZeroDivisionError("ours"))

    with pytest.raises(ZeroDivisionError, match="ours"):
        await task


async def test_a_broker_of_3_1_1_only_is_asked_in_5_first_and_then_in_3_1_1(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])
        broker.cut()
        await wait_until(lambda: broker.connections == 2)

    assert broker.refusals == 1  # and not again at the reconnection


class HangingUp(ScriptedBroker):
    """As RabbitMQ before 3.13: it answers nothing to a CONNECT in another version, and closes the connection."""

    def _packet(self, writer: asyncio.StreamWriter, first: int, body: bytes) -> None:
        if first >> 4 == 1 and body[6] not in self.levels:
            self.refusals += 1
            writer.close()
        else:
            super()._packet(writer, first, body)


async def test_a_broker_that_hangs_up_on_5_is_asked_in_3_1_1_at_once_and_from_then_on(sink: StompSink) -> None:
    broker = HangingUp(frozenset({4}))
    await broker.start()
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])
        broker.cut()
        await wait_until(lambda: broker.connections == 2)
    await broker.stop()

    assert broker.refusals == 1


async def test_a_broker_that_hangs_up_on_both_is_asked_in_5_again(sink: StompSink) -> None:
    broker = HangingUp(frozenset())  # as one does that is starting
    await broker.start()
    settings = BridgeSettings(mqtt_url=broker.url, hub_url=sink.url, health_port=0, reconnect_max_s=0.1)
    bridge = Bridge(settings)
    ready = asyncio.Event()
    task = asyncio.create_task(bridge.run(lambda _: ready.set()))
    await wait_until(lambda: broker.refusals >= 4)
    reason = bridge.state()["mqtt"]["detail"]
    broker.levels = frozenset({5})
    await wait_until(ready.is_set)
    broker.send(publish(TOPIC, b"x", 1, properties=b""))
    await wait_until(lambda: broker.acknowledged == [1])
    bridge.stop()
    await task
    await broker.stop()

    assert reason == "the broker closed the connection without an answer to CONNECT"


async def test_with_mqtt_5_the_session_lasts_and_retained_messages_come_with_a_new_subscription_only(
    sink: StompSink,
) -> None:
    broker = ScriptedBroker(frozenset({5}))
    await broker.start()
    async with running(broker.url, sink.url, mqtt_receive_maximum=300, filters=("a/#", "$share/g/b")):
        broker.send(publish("a/1", b"x", 1, properties=b""))
        await wait_until(lambda: broker.acknowledged == [1])
    await broker.stop()

    flags, properties = broker.connect_body[7], broker.connect_body[10:]
    assert flags & 0x02 == 0  # clean start is off
    assert b"\x11\0\0\0\x3c" in properties  # session expiry: 60 s, since a filter is shared
    assert b"\x21\x01\x2c" in properties  # receive maximum: 300
    # QoS 1, retain handling 1, retain as published 0, no local 0.
    assert broker.subscribe_body[3:] == b"\0\x03a/#\x11" + b"\0\x0a$share/g/b\x11"


async def test_properties_of_mqtt_5_are_headers_and_what_collides_is_counted(sink: StompSink) -> None:
    broker = ScriptedBroker(frozenset({5}))
    await broker.start()
    section = b"\x03\0\x09text/html" + b"\x26\0\x04site\0\x02h1" + b"\x26\0\x07receipt\0\x01x"
    async with running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"1", 1, properties=section) + publish(TOPIC, b"2", 2, retain=True, properties=b""))
        await wait_until(lambda: broker.acknowledged == [1, 2])
        dropped = bridge._properties.dropped["reserved"]
    await broker.stop()
    names = ("content-type", "site", "retained")

    assert [[frame.headers.get(name) for name in names] for frame in sink.taken] == [
        ["text/html", "h1", None],
        [None, None, "true"],
    ]
    assert dropped == 1


async def test_messages_that_come_in_one_piece_with_the_connack_are_relayed_and_acknowledged(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    """F21: PUBLISH at once after the reconnect, before anything was subscribed."""
    async with running(broker.url, sink.url):
        broker.session_present = True
        broker.after_connack = b"".join(publish(TOPIC, b"%d" % mid, mid, dup=True) for mid in range(1, 400))
        broker.cut()
        await wait_until(lambda: len(broker.acknowledged) == 399)

    assert broker.acknowledged == list(range(1, 400))
    assert len(set(broker.pubacks)) == len(broker.pubacks)


async def test_the_broker_is_not_read_while_all_transactions_are_on_their_way(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.hold = True
    async with running(broker.url, sink.url, transactions_in_flight=2, linger_ms=0) as bridge:
        for mid in (1, 2):
            broker.send(publish(TOPIC, b"%d" % mid, mid))
            await wait_until(partial(taken, sink, mid))
        paused = bridge.state()["mqtt"]["paused"]
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid) for mid in range(3, 1000)))
        await wait_until(lambda: len(sink.statuses) >= 2)  # more than a second later

        assert (paused, bridge.relay.messages) == (True, 2)

        sink.release()
        await wait_until(lambda: len(broker.acknowledged) == 999)

    assert broker.acknowledged == list(range(1, 1000))


async def test_qos_0_is_counted_apart_and_bounded(broker: ScriptedBroker, sink: StompSink) -> None:
    sink.hold = True
    async with running(broker.url, sink.url, qos0_messages=3) as bridge:
        broker.send(b"".join(publish(TOPIC, b"q%d" % number) for number in range(10)) + publish(TOPIC, b"x", 1))
        await wait_until(lambda: sink.count == 4)
        sink.release()
        await wait_until(lambda: broker.acknowledged == [1])
        counts = bridge.relay.counts

    assert sink.bodies == [b"q0", b"q1", b"q2", b"x"]
    assert (counts.received_qos0, counts.dropped["qos0_full"]) == (10, 7)


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


async def test_what_is_left_out_is_counted_once_however_often_its_transaction_is_sent(sink: StompSink) -> None:
    broker = ScriptedBroker(frozenset({5}))
    await broker.start()
    reserved = b"\x26\0\x07receipt\0\x01x"
    sink.hold = True
    async with running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"1", 1, properties=reserved) + publish("a/" * 100, b"deep", 2, properties=b""))
        for connections in (2, 3):
            await wait_until(lambda: sink.held)
            sink.cut()
            await wait_until(partial(connected, sink, connections))
        await wait_until(lambda: sink.held)
        sink.release()
        await wait_until(lambda: broker.acknowledged == [1, 2])
        properties, unsendable = bridge._properties.dropped["reserved"], bridge.relay.counts.dropped["unsendable"]
    await broker.stop()

    assert (properties, unsendable) == (1, 1)
    assert sink.bodies == [b"1"] * 3
