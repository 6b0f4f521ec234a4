"""`telemetry-hub serve`: one hub in one event loop, until SIGTERM or SIGINT."""

import asyncio
import gc
import signal
from typing import Final

import structlog

from hub.app import HubApp
from hub.observe.logs import configure_logs
from hub.processes.program import password_in_arguments
from hub.settings.model import HubSettings

try:
    import uvloop
except ImportError:  # Windows and PyPy have none; asyncio's own loop serves
    _new_loop = asyncio.new_event_loop
else:
    _new_loop = uvloop.new_event_loop

log = structlog.get_logger("hub")

READY_PATIENCE_S: Final = 2.0
"""How long the line `ready` waits for the database's first answer, so that it can tell of a wrong one."""
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run(settings: HubSettings) -> None:
    """Serve and return after a graceful stop."""
    configure_logs(settings.log.level)
    if password_in_arguments():
        log.warning(
            "password_on_command_line",
            problem="every user of this machine may read it",
            remedy="put the URL into TELEMETRY_HUB_STORAGE__DATABASE_URL, or the password into storage.password_file",
        )
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))
    # Everything was stopped in order; a second signal must not turn that into a death by signal.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


async def _serve(settings: HubSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop(_number: int, _frame: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    # Not loop.add_signal_handler, which restores the default when the loop closes.
    for number in STOP_SIGNALS:
        signal.signal(number, ask_to_stop)
    app = HubApp(settings)
    await app.start()
    # What was built by now lives as long as the process: the collector need not look at it again, and a burst of
    # messages (which makes no cycles) should not make it run 300 times.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        problem = await app.store.tried(READY_PATIENCE_S)
        # The contract with whoever started us: the word, the addresses, and in parentheses what is wrong.
        print("ready", *app.addresses, *([f"(without its database: {problem})"] if problem else []), flush=True)  # noqa: T201
        await stop.wait()
    finally:
        await app.drain()
