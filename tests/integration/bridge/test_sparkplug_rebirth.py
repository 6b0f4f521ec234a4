"""A Sparkplug edge node whose birth nobody has seen: asked for it through the broker, it answers, and its data are stored.

Real Mosquitto, bridge, hub and Postgres; the node is paho with Eclipse Tahu's encoder, so only the hub's side is ours.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from sparkplub_b_packets.core import sparkplug_b as tahu

from storage.engine import RawConnection
from tests.support.hub import RunningHub
from tests.support.mosquitto import Mosquitto
from tests.support.running_bridge import running
from tests.support.waiting import wait_for, wait_until

LEVEL = 1  # the alias
DEADLINE_S = 30


class EdgeNode:
    """Births on request, and data that name nothing but an alias."""

    def __init__(self, port: int) -> None:
        self.asked = 0
        self.value = 0
        self._in_order = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, "edge")
        self._client.on_message = self._commanded
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for(self._client.is_connected)
        self._client.subscribe("spBv1.0/plant/NCMD/edge", qos=1)
        tahu.getNodeDeathPayload()  # it counts the sessions
        self.birth()

    def birth(self) -> None:
        with self._in_order:
            payload = tahu.getNodeBirthPayload()
            now_ms = payload.timestamp
            tahu.addMetric(payload, "Node Control/Rebirth", None, tahu.MetricDataType.Boolean, False, now_ms)
            tahu.addMetric(payload, "level", LEVEL, tahu.MetricDataType.Int16, self.value, now_ms)
            self._client.publish("spBv1.0/plant/NBIRTH/edge", payload.SerializeToString(), qos=0)

    def data(self) -> None:
        """Send the next value."""
        with self._in_order:
            self.value -= 1
            payload = tahu.getDdataPayload()
            tahu.addMetric(payload, None, LEVEL, tahu.MetricDataType.Int16, self.value, time.time_ns() // 1_000_000)
            self._client.publish("spBv1.0/plant/NDATA/edge", payload.SerializeToString(), qos=0)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _commanded(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        [metric] = tahu.sparkplug_b_pb2.Payload.FromString(message.payload).metrics
        if metric.name == "Node Control/Rebirth" and metric.boolean_value:
            self.asked += 1
            self.birth()


async def data_until(node: EdgeNode, done: Callable[[], object]) -> None:
    """Let the node send a value every now and then until `done()`."""

    def send() -> bool:
        node.data()
        return bool(done())

    await wait_until(send, DEADLINE_S)


def rows_stored(hub: RunningHub) -> int:
    return hub.look(lambda app: app.store.counters.rows_stored)


async def test_a_node_that_was_born_before_the_bridge_is_asked_answers_and_is_stored(
    mosquitto: Mosquitto, database_url: str, sql: RawConnection, tmp_path: Path
) -> None:
    node = await asyncio.to_thread(EdgeNode, mosquitto.port)
    hub = RunningHub(tmp_path / "hub", database_url=database_url)
    with hub:
        async with running(mosquitto.url, hub.ws_url):
            await data_until(node, lambda: node.asked)
            await data_until(node, lambda: rows_stored(hub) > 3)
    await asyncio.to_thread(node.stop)

    assert 1 == node.asked
    [series] = await sql.fetch(
        "SELECT devices.name, series.metric, min(value), max(value) FROM readings"
        " JOIN series ON series.id = series_id JOIN devices ON devices.id = device_id GROUP BY 1, 2"
    )
    name, metric, lowest, highest = series
    assert ("plant/edge", "level") == (name, metric)
    assert node.value <= lowest < highest < 0
    refused = await sql.fetch("SELECT reason, topic FROM quarantine")
    assert {("needs_rebirth", "spBv1.0/plant/NDATA/edge")} == {tuple(row) for row in refused}
    state = await sql.fetchrow("SELECT online, state FROM devices WHERE name = 'plant/edge'")
    assert state is not None
    assert (True, "online") == tuple(state)


async def test_after_a_restart_of_the_hub_the_node_is_asked_again(
    mosquitto: Mosquitto, database_url: str, tmp_path: Path
) -> None:
    node = await asyncio.to_thread(EdgeNode, mosquitto.port)
    hub = RunningHub(tmp_path / "hub", database_url=database_url)
    with hub:
        async with running(mosquitto.url, hub.ws_url):
            # More than the birth: were its receipt under way, the bridge would bring the birth to the next hub as well.
            await data_until(node, lambda: rows_stored(hub) > 9)
            before = node.asked
            await asyncio.to_thread(hub.restart)
            await data_until(node, lambda: rows_stored(hub))
    await asyncio.to_thread(node.stop)

    assert before < node.asked
