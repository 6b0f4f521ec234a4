"""F21: what is acknowledged to the broker and when, against a scripted one, with a scripted hub behind."""

import asyncio
from functools import partial

import pytest

from bridge.bridge import Bridge
from bridge.settings import BridgeSettings
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


def taken(sink: StompSink, count: int) -> bool:
    return sink.count == count


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
