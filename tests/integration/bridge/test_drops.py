"""What cannot be relayed is given up, counted by its reason, and holds nothing else up."""

from functools import partial

from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


def relayed(sink: StompSink, number: int) -> bool:
    return b"%d" % number in sink.bodies


def connected(sink: StompSink, times: int) -> bool:
    return len(sink.connects) == times


async def test_a_message_that_the_hub_refuses_is_dropped_and_all_others_are_relayed(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    sink.refuse.add("/topic/devices/poison/telemetry")
    poison = {33, 60}
    async with running(broker.url, sink.url, reconnect_max_s=0.02) as bridge:
        topics = ["devices/poison/telemetry" if mid in poison else TOPIC for mid in range(1, 81)]
        broker.send(b"".join(publish(topic, b"%d" % mid, mid) for mid, topic in enumerate(topics, 1)))
        last = 80
        # The fleet goes on: without others nothing is proven.
        while bridge.relay.counts.dropped["poison"] < len(poison):
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


async def test_what_is_left_out_is_counted_once_however_often_its_transaction_is_sent(sink: StompSink) -> None:
    reserved = b"\x26\0\x07receipt\0\x01x"
    sink.hold = True
    async with ScriptedBroker(5) as broker, running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"1", 1, properties=reserved) + publish("a/" * 100, b"deep", 2, properties=b""))
        for connections in (2, 3):
            await wait_until(lambda: sink.held)
            sink.cut()
            await wait_until(partial(connected, sink, connections))
        await wait_until(lambda: sink.held)
        sink.release()
        await wait_until(lambda: broker.acknowledged == [1, 2])
        properties = bridge.registry.get_sample_value("bridge_properties_dropped_total", {"reason": "reserved"})
        unsendable = bridge.relay.counts.dropped["unsendable"]

    assert (properties, unsendable) == (1, 1)
    assert sink.bodies == [b"1"] * 3
