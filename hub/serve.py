"""`telemetry-hub serve`: one hub in one event loop, until SIGTERM or SIGINT."""

import asyncio
import signal

from hub.app import HubApp
from hub.logs import configure_logs
from hub.settings import HubSettings

try:
    import uvloop
except ImportError:  # Windows and PyPy have none; asyncio's own loop serves
    _new_loop = asyncio.new_event_loop
else:
    _new_loop = uvloop.new_event_loop


def run(settings: HubSettings) -> None:
    """Serve and return after a graceful stop."""
    configure_logs(settings.log.level)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: HubSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = HubApp(settings)
    await app.start()
    try:
        print("ready", *app.addresses, flush=True)  # noqa: T201 - the contract with whoever started us
        await stop.wait()
    finally:
        await app.drain()
