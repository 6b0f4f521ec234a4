"""The command `device-sim watch`, from checked arguments to the last line of JSON."""

import asyncio

import orjson

from device_sim.links.address import Address
from device_sim.programs import on_signal, prepare_logs, say
from device_sim.progress import status_line
from device_sim.watch import Watcher


def run_watch(address: Address, destination: str) -> None:
    """Count MESSAGEs until a signal."""
    asyncio.run(_watch(address, destination))


async def _watch(address: Address, destination: str) -> None:
    prepare_logs()
    stopped = asyncio.Event()
    on_signal(stopped.set)
    watcher = Watcher(address, destination)
    watcher.start()
    waits = [asyncio.create_task(event.wait()) for event in (watcher.subscribed, stopped)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if watcher.subscribed.is_set():
        say(f"ready {address} {destination}")
    async with status_line(lambda: f"{watcher.delivered:,} messages delivered"):
        await stopped.wait()
    waits[0].cancel()
    await watcher.close()
    say(orjson.dumps({"delivered": watcher.delivered}).decode())
