"""The command `device-sim replay`, from checked arguments to the last line of JSON."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from device_sim.errors import BadArgumentError
from device_sim.ledger.writer import LedgerWriter
from device_sim.links.identity import parse_address
from device_sim.links.link import Link, LinkEvents
from device_sim.links.shared import SharedLink
from device_sim.message import Message
from device_sim.programs import on_signal, prepare_logs, say, status_line, tell, warn
from device_sim.reach import PATIENCE_S, Peer, find_peers
from device_sim.replay.recording import parse_speed, read_recording
from device_sim.run.publisher import Publisher
from hub.clients.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go."""

    protocol: Literal["mqtt", "stomp"]
    address: Endpoint

    @property
    def peer(self) -> Peer:
        return Peer(self.address, "--mqtt-url" if self.protocol == "mqtt" else "--hub-url")

    def link(self, events: LinkEvents, sources: int) -> Link:
        return SharedLink(self.address, events, sources=sources)


def parse_target(protocol: str, mqtt_url: str, hub_url: str) -> Target:
    """Check the three options; only the URL of the protocol in use has to be right."""
    if protocol == "mqtt":
        return Target("mqtt", parse_address(mqtt_url, "mqtt", "--mqtt-url"))
    if protocol == "stomp":
        return Target("stomp", parse_address(hub_url, "ws", "--hub-url"))
    raise BadArgumentError("--protocol", f"{protocol!r} is neither mqtt nor stomp")


def run_replay(
    target: Target, file: Path, device: str, metric: str, speed: str, topic: str, ledger: Path | None
) -> None:
    """Publish a CSV file's readings until its end or a signal."""
    for argument, name in (("--device", device), ("--metric", metric)):
        if not name or {"\0", "+", "#"} & set(name):
            raise BadArgumentError(argument, f"{name!r} cannot be a name: it is empty or holds + or #")
    if "/" in device:
        raise BadArgumentError("--device", f"{device!r} holds a /, which would be two levels of the topic")
    if metric == "ts":
        raise BadArgumentError("--metric", "'ts' is the name of the time in the payload")
    factor = parse_speed(speed)
    recording = read_recording(file)
    if recording.moved:
        tell(f"{recording.moved} of {len(recording.rows)} rows repeat the time of an earlier row: sent 1 ms later each")
    schedule = recording.schedule(device, metric, factor, topic)
    asyncio.run(_publish(target, schedule, ledger))


async def _publish(target: Target, schedule: Iterator[Message], ledger: Path | None) -> None:
    with LedgerWriter(ledger) as writer:
        prepare_logs()
        found = await find_peers([target.peer], PATIENCE_S)
        publisher = Publisher(lambda events: target.link(events, 1), writer)
        on_signal(publisher.stop)
        try:
            if found and await publisher.start():
                say(f"ready {target.address}")
                async with status_line(lambda: _describe(publisher)):
                    await publisher.publish(schedule, time.time_ns() // 1_000)
        finally:
            await publisher.close()
    warn(publisher.tally, paced=False)
    say(orjson.dumps(publisher.tally.as_json()).decode())


def _describe(publisher: Publisher) -> str:
    tally = publisher.tally
    return (
        f"{tally.messages:,} messages sent, {tally.published:,} readings, {tally.acknowledged:,} acknowledged, "
        f"{publisher.link.counts.outstanding:,} messages outstanding"
    )
