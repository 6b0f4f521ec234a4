"""A thousand MQTT connections that send messages made beforehand: what the simulator's link costs without the fleet on it.

python -m tests.bench.simulator_link MQTT_URL CONNECTIONS RATE SECONDS     prints one JSON object

Open loop: every 5 ms what is due by then is handed over, in the order of the connections, one message each in turn.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Sequence

from device_sim.ledger.writer import Acknowledgement
from device_sim.links.devices import DeviceLink
from device_sim.links.identity import MqttIdentity, parse_address
from device_sim.links.link import LinkEvents
from device_sim.message import LinkAction, LinkActionKind, Message
from hub.clients.mqtt_client import MqttLogin
from tests.support.simulated import burst
from tests.support.waiting import wait_until

GATHER_S = 0.005
PATIENCE_S = 30.0


async def drive(url: str, connections: int, rate: float, seconds: float) -> dict[str, float]:
    address = parse_address(url, "mqtt", "MQTT_URL")
    acknowledged = 0

    def take(messages: Sequence[Message], _by: Acknowledgement) -> None:
        nonlocal acknowledged
        acknowledged += len(messages)

    identities = {
        number: MqttIdentity(address, MqttLogin(f"bench-{os.getpid()}-{number}", keepalive_s=10))
        for number in range(connections)
    }
    link = DeviceLink(identities, LinkEvents(take, lambda: None))
    await link.start()
    for source in identities:
        link.act(LinkAction(0.0, source, LinkActionKind.CONNECT))
    await wait_until(lambda: link.counts.up == connections, PATIENCE_S)
    messages = burst(int(rate * seconds), connections)
    gc.collect()
    gc.freeze()
    sent, begin, cpu = 0, time.monotonic(), time.process_time()
    while acknowledged < len(messages) and time.monotonic() - begin < seconds + PATIENCE_S:
        due = min(int((time.monotonic() - begin) * rate), len(messages))
        for first in range(sent, due, 500):
            link.send(messages[first : min(first + 500, due)])
        sent = max(sent, due)
        await asyncio.sleep(GATHER_S)
    cpu, passed = time.process_time() - cpu, time.monotonic() - begin
    await link.close()
    return {"acknowledged": acknowledged, "rate": acknowledged / passed, "cpu_us": cpu / max(acknowledged, 1) * 1e6}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(drive(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))))
