"""F6: latency, slices of 1 to 3 bytes and cuts in mid-packet between bridge and broker; F21 under them."""

import asyncio
import random
from collections import Counter
from functools import partial

import pytest
from paho.mqtt import publish as mqtt_publish

from tests.support.mosquitto import Mosquitto
from tests.support.proxy import FaultProxy, fault_proxy
from tests.support.running_bridge import running
from tests.support.scripted_broker import ScriptedBroker, publish
from tests.support.stomp_sink import StompSink
from tests.support.waiting import wait_until

TOPIC = "devices/a/telemetry"


async def send(port: int, count: int) -> None:
    messages: mqtt_publish.MessagesList = [{"topic": TOPIC, "payload": b"%d" % n, "qos": 1} for n in range(count)]
    await asyncio.to_thread(mqtt_publish.multiple, messages, "127.0.0.1", port, "device")


def at_least(proxy: FaultProxy, connections: int) -> bool:
    return proxy.accepted >= connections


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_slices_and_latency_change_nothing(mosquitto: Mosquitto, sink: StompSink, version: str) -> None:
    """F6: what comes in pieces of 1 to 3 bytes, each late, arrives once and in order."""
    async with fault_proxy(mosquitto.port) as proxy:
        proxy.slices = (1, 2, 3, 1, 1, 3, 2)
        proxy.latency_s = 0.02
        url = f"mqtt://127.0.0.1:{proxy.port}"
        async with running(url, sink.url, mqtt_version=version) as bridge:
            await send(mosquitto.port, 500)
            await wait_until(lambda: bridge.relay.counts.acknowledged == 500, 30)

    assert [int(body) for body in sink.bodies] == list(range(500))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_cuts_in_mid_packet_lose_nothing(mosquitto: Mosquitto, sink: StompSink, version: str) -> None:
    """F6: the connection is reset eight times, behind any byte; the session brings again what had no PUBACK."""
    rng = random.Random(6)
    async with fault_proxy(mosquitto.port) as proxy:
        url = f"mqtt://127.0.0.1:{proxy.port}"
        async with running(url, sink.url, mqtt_version=version, reconnect_max_s=0.05) as bridge:
            for cut in range(8):
                proxy.cut_after = rng.randrange(300, 3000)
                await send(mosquitto.port, 200)
                await wait_until(partial(at_least, proxy, 2 + cut), 20)
            # Repeats count too, so the number of all that came says nothing: each of the 200 has been sent eight times.
            await wait_until(lambda: min(Counter(sink.bodies).values()) >= 8 and not bridge.relay.messages, 30)

    assert Counter(int(body) for body in sink.bodies).keys() == set(range(200))


@pytest.mark.parametrize("rounds", [4, pytest.param(12, marks=pytest.mark.minutes)])
async def test_each_delivery_is_acknowledged_at_most_once_in_order_through_cuts_of_both_sides(
    broker: ScriptedBroker, sink: StompSink, rounds: int
) -> None:
    """F6, F21: after a cut the broker delivers again what it saw no PUBACK for; no PUBACK comes twice or out of order."""
    rng = random.Random(21)
    broker.session_present = True
    async with (
        fault_proxy(broker.port) as proxy,
        running(f"mqtt://127.0.0.1:{proxy.port}", sink.url, reconnect_max_s=0.05) as bridge,
    ):
        unacknowledged: list[int] = []
        delivered: list[tuple[int, int]] = []
        for number in range(rounds):
            await wait_until(lambda: bridge.state()["mqtt"]["ok"], 20)
            connection = broker.connections
            fresh = [*range(number * 100 + 1, number * 100 + 101)]
            packets = [publish(TOPIC, b"%d" % mid, mid, dup=True) for mid in unacknowledged]
            packets += [publish(TOPIC, b"%d" % mid, mid) for mid in fresh]
            data = b"".join(packets)
            delivered += [(connection, mid) for mid in (*unacknowledged, *fresh)]
            await one_round(rng, proxy, broker, sink, data)
            done = {mid for at, mid in broker.pubacks if at == connection}
            unacknowledged = [mid for mid in (*unacknowledged, *fresh) if mid not in done]
        await wait_until(lambda: bridge.state()["mqtt"]["ok"], 20)
        delivered += [(broker.connections, mid) for mid in unacknowledged]
        broker.send(b"".join(publish(TOPIC, b"%d" % mid, mid, dup=True) for mid in unacknowledged))
        await wait_until(lambda: {mid for _, mid in broker.pubacks} == set(range(1, rounds * 100 + 1)), 20)

    assert {int(body) for body in sink.bodies} == set(range(1, rounds * 100 + 1))
    assert max(Counter(broker.pubacks).values()) == 1
    assert [one for one in delivered if one in set(broker.pubacks)] == broker.pubacks


async def one_round(
    rng: random.Random, proxy: FaultProxy, broker: ScriptedBroker, sink: StompSink, data: bytes
) -> None:
    """Deliver with a cut behind some byte; sometimes the hub goes as well, or answers late."""
    accepted = proxy.accepted
    sink.hold = rng.random() < 0.3
    proxy.cut_after = rng.randrange(1, len(data))
    broker.send(data)
    if rng.random() < 0.3:
        sink.cut()
    await wait_until(lambda: proxy.accepted > accepted, 20)
    sink.release()
