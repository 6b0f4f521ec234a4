"""A subscriber of an MQTT broker beside the program under test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hub.clients.endpoint import Endpoint


@asynccontextmanager
async def listener(address: Endpoint, topic: str = "#") -> AsyncIterator[list[tuple[str, bytes]]]:
    """Collect what the broker delivers at QoS 1."""
    received: list[tuple[str, bytes]] = []
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    client = paho.Client(CallbackAPIVersion.VERSION2)

    def on_connect(*_: object) -> None:
        client.subscribe(topic, 1)

    def on_subscribe(*_: object) -> None:
        loop.call_soon_threadsafe(ready.set)

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        received.append((message.topic, bytes(message.payload)))

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect(address.host, address.port)
    client.loop_start()
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield received
    finally:
        client.disconnect()
        client.loop_stop()
