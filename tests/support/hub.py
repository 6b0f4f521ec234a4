"""One real hub for tests of its sockets: `RunningHub` in this process, with an event loop in a thread of its own.

Clients block in the test's thread, as stomp.py and Playwright want it. Ports are free ones; they are kept over `restart`.
By default there is no database (nothing listens at the address): STOMP must not notice. Tests that need a process (to
kill it, to see its exit status) use `hub_command` with `hub.supervisor.Supervisor`.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from hub.app import HubApp
from hub.processes import child_process
from hub.settings.limits import Limits
from hub.settings.model import HttpSettings, HubSettings, StompSettings, UserSettings
from storage.settings import StorageSettings
from tests.support.ports import free_port

T = TypeVar("T")
NO_DATABASE = "postgresql://127.0.0.1:1/none"
DEADLINE_S = 20.0


class RunningHub:
    """A hub that serves while the `with` block runs."""

    def __init__(
        self,
        data_dir: Path,
        *,
        limits: Limits | None = None,
        users: tuple[UserSettings, ...] = (),
        http: Mapping[str, object] | None = None,
        database_url: str = NO_DATABASE,
    ) -> None:
        self.port, self.stomp_port = free_port(), free_port()
        self._settings = HubSettings(
            data_dir=data_dir,
            http=HttpSettings.model_validate({"port": self.port, **(http or {})}),
            stomp=StompSettings(port=self.stomp_port),
            limits=limits or Limits(),
            storage=StorageSettings(database_url=database_url),
            users=users,
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: HubApp | None = None
        self._stop: asyncio.Event | None = None
        self._outcome: Future[None] = Future()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; returns when the ports are open."""
        ready: Future[None] = Future()
        self._outcome = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="hub")
        self._thread.start()
        ready.result(DEADLINE_S)

    def stop(self) -> None:
        """Drain as SIGTERM does; raises what the hub's loop could not handle."""
        if self._thread is None:
            return
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the hub did not stop"
        self._thread = None
        self._outcome.result(0)

    def restart(self) -> None:
        """Stop and serve again on the same ports."""
        self.stop()
        self.start()

    def look(self, question: Callable[[HubApp], T]) -> T:
        """Ask the hub's parts, in its own loop."""
        app, loop = self._app, self._loop
        assert app is not None
        assert loop is not None

        async def ask() -> T:
            return question(app)

        return asyncio.run_coroutine_threadsafe(ask(), loop).result(DEADLINE_S)

    @property
    def connections(self) -> int:
        return self.look(lambda app: len(app.services.connections))

    def errors(self, summary: str) -> int:
        """Return how many ERROR frames had this `message`."""
        return self.look(lambda app: app.services.counters.errors[summary])

    def _run(self, ready: "Future[None]") -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            (self._outcome if ready.done() else ready).set_exception(error)
        else:
            self._outcome.set_result(None)

    async def _serve(self, ready: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        unhandled: list[str] = []
        self._loop.set_exception_handler(lambda _, context: unhandled.append(str(context)))
        self._stop = asyncio.Event()
        self._app = HubApp(self._settings)
        await self._app.start()
        ready.set_result(None)
        await self._stop.wait()
        await self._app.drain()
        assert not unhandled, f"the hub's loop was left with errors: {unhandled}"


def hub_command(data_dir: Path, *options: str) -> list[str]:
    """Return the command that serves a hub as a process on free ports."""
    return [
        child_process.program("telemetry-hub"),
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(data_dir),
        *(options if "--stomp-port" in options else ("--stomp-port", str(free_port()), *options)),
    ]
