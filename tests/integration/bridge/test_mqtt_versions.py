"""MQTT 5 and 3.1.1: which one the bridge takes, and what the newer one brings."""

from tests.support.running_bridge import running, trying
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


async def test_a_broker_of_3_1_1_only_is_asked_in_5_first_and_then_in_3_1_1(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])
        broker.cut()
        await wait_until(lambda: broker.connections == 2)

    assert broker.refusals == 1  # and not again at the reconnection


async def test_a_broker_that_hangs_up_on_5_is_asked_in_3_1_1_at_once_and_from_then_on(
    broker: ScriptedBroker, sink: StompSink
) -> None:
    broker.hangs_up = True
    async with running(broker.url, sink.url):
        broker.send(publish(TOPIC, b"x", 1))
        await wait_until(lambda: broker.acknowledged == [1])
        broker.cut()
        await wait_until(lambda: broker.connections == 2)

    assert broker.refusals == 1


async def test_a_broker_that_hangs_up_on_both_is_asked_in_5_again(broker: ScriptedBroker, sink: StompSink) -> None:
    broker.hangs_up = True
    broker.levels = set()  # as one that is starting
    async with trying(broker.url, sink.url, reconnect_max_s=0.1) as bridge:
        await wait_until(lambda: broker.refusals >= 4)
        reason = bridge.state()["mqtt"]["detail"]
        broker.levels = {5}
        await wait_until(lambda: all(side["ok"] for side in bridge.state().values()))
        broker.send(publish(TOPIC, b"x", 1, properties=b""))
        await wait_until(lambda: broker.acknowledged == [1])

    assert reason == "the broker closed the connection without an answer to CONNECT"


async def test_with_mqtt_5_the_session_lasts_and_retained_messages_come_with_a_new_subscription_only(
    sink: StompSink,
) -> None:
    settings = {"mqtt_receive_maximum": 300, "filters": ("a/#", "$share/g/b")}
    async with ScriptedBroker(5) as broker, running(broker.url, sink.url, **settings):
        broker.send(publish("a/1", b"x", 1, properties=b""))
        await wait_until(lambda: broker.acknowledged == [1])

    flags, properties = broker.connect_body[7], broker.connect_body[10:]
    assert flags & 0x02 == 0  # clean start is off
    assert b"\x11\0\0\0\x3c" in properties  # session expiry: 60 s, since a filter is shared
    assert b"\x21\x01\x2c" in properties  # receive maximum: 300
    # QoS 1, retain handling 1, retain as published 0, no local 0.
    assert broker.subscribe_body[3:] == b"\0\x03a/#\x11" + b"\0\x0a$share/g/b\x11"


async def test_properties_of_mqtt_5_are_headers_and_what_collides_is_counted(sink: StompSink) -> None:
    section = b"\x03\0\x09text/html" + b"\x26\0\x04site\0\x02h1" + b"\x26\0\x07receipt\0\x01x"
    async with ScriptedBroker(5) as broker, running(broker.url, sink.url) as bridge:
        broker.send(publish(TOPIC, b"1", 1, properties=section) + publish(TOPIC, b"2", 2, retain=True, properties=b""))
        await wait_until(lambda: broker.acknowledged == [1, 2])
        dropped = bridge.registry.get_sample_value("bridge_properties_dropped_total", {"reason": "reserved"})
    names = ("content-type", "site", "retained")

    assert [[frame.headers.get(name) for name in names] for frame in sink.taken] == [
        ["text/html", "h1", None],
        [None, None, "true"],
    ]
    assert dropped == 1
