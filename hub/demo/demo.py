"""`telemetry-hub demo`: the whole system as real processes, with a simulated fleet, and the proof at its end.

What it is: the order in which things start and stop, and the line of figures. Processes are those of
hub/processes/supervisor.py, the status line is in hub/demo/status.py, the proof is `device-sim verify`'s.

Order: Postgres, MQTT broker, hub, bridge, each while those before it come up; then the simulated dashboard, then the fleet,
since a broker keeps a message only for a session that exists. The end goes the other way, and each step waits for what
is on its way: the fleet for its acknowledgements, then until the database holds what was acknowledged, then dashboard,
bridge, hub, broker, Postgres.

All counts of the last line are readings (a message of the fleet carries two to five), but `quarantined`, which counts
payloads; `seconds` is how long the fleet sent.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from platformdirs import user_data_path
from rich.console import Console

from hub.demo.status import QUARANTINED, StatusLine, scrape
from hub.errors import ChildFailedError, HubError, PortInUseError
from hub.processes import child_process
from hub.processes.embedded_mqtt import EmbeddedMqttBroker
from hub.processes.ports import HOST, free_port, is_free
from hub.processes.supervisor import Child, Supervisor
from storage.embedded import EmbeddedPostgres

FLEET: Final = "plant"
"""The scenario of device-sim that it runs, with as many devices and messages as asked."""
HTTP_PORT: Final = 8080
MQTT_PORT: Final = 1883
STOMP_PORT: Final = 61613
READY_DEADLINE_S: Final = 60.0
FLEET_STOP_DEADLINE_S: Final = 30.0  # the fleet itself waits up to 10 s for acknowledgements
FLEET_ENDS: Final = (0, 1, 3)
"""Its exit statuses, as it judges its scenario (not met, too busy a machine); what was lost is judged here."""
DRAIN_DEADLINE_S: Final = 45.0  # above the broker's ack_wait, after which a message comes again
VERIFY_DEADLINE_S: Final = 120.0
STATUS_PERIOD_S: Final = 0.5
NOT_SHOWN: Final = (
    "A viewer that reads too slowly is skipped the oldest (header `on-slow`); what is stored is not affected."
)
EXIT_INTERRUPTED: Final = 128 + signal.SIGINT


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says; without `data_dir` a lasting directory of the user: the next start is quick."""

    run_for_s: float | None
    devices: int
    rate: float  # messages a second, of the whole fleet
    data_dir: Path | None
    port: int | None
    mqtt_port: int | None
    browser: bool


@dataclass(frozen=True, slots=True)
class _System:
    """What runs."""

    postgres: EmbeddedPostgres
    broker: EmbeddedMqttBroker
    supervisor: Supervisor
    hub: Child
    bridge: Child
    dashboard: Child
    fleet: Child
    database_url: str
    addresses: tuple[str, ...]  # of the hub, the page first

    @property
    def page(self) -> str:
        return self.addresses[0]

    def check(self) -> None:
        """Raise ChildFailedError when a part has ended by itself."""
        self.supervisor.check()
        if not self.postgres.running:
            raise ChildFailedError("Postgres", "ended unexpectedly", child_process.log_tail(self.postgres.log_file))
        self.broker.check()


class Demo:
    """One run of the demo."""

    def __init__(self, options: DemoOptions) -> None:
        self._options = options
        self._data_dir = (options.data_dir or user_data_path("telemetry-hub", appauthor=False) / "demo").resolve()
        self._ledger = self._data_dir / "ledger"
        self._console = Console(stderr=True)

    def run(self) -> int:
        """Run until the time is over or Ctrl-C; print the line of figures and return the exit status."""
        signal.signal(signal.SIGTERM, _interrupt)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._reserve())
            try:
                with self._console.status("Starting Postgres, the MQTT broker, hub, bridge and fleet"):
                    system = self._start(stack)
            except KeyboardInterrupt:
                self._console.print("Stopped before it was ready.")
                return EXIT_INTERRUPTED
            with contextlib.suppress(KeyboardInterrupt):
                self._live(system)
            try:
                with self._console.status("Stopping the fleet; waiting until all that was acknowledged is stored"):
                    figures = self._finish(system)
            except KeyboardInterrupt:
                self._console.print("Stopped before all was counted; nothing is proved.")
                return EXIT_INTERRUPTED
        kept = "all of them are stored" if not figures["lost"] else f"{figures['lost']:,} of them are missing"
        self._console.print(f"{figures['acknowledged']:,} readings were acknowledged, {kept}.", highlight=False)
        if (shown := figures["delivered"]) < figures["stored"]:
            self._console.print(f"The simulated dashboard was shown {shown:,} of them. {NOT_SHOWN}", highlight=False)
        print(json.dumps(figures), flush=True)  # noqa: T201 - the demo's result
        return 1 if figures["lost"] or figures["duplicates"] else 0

    def _reserve(self) -> BinaryIO:
        """Make the data directory and keep it to ourselves until the file that is returned is closed, or we are dead."""
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            lock = (self._data_dir / "lock").open("wb")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._ledger.unlink(missing_ok=True)
        except BlockingIOError:
            raise HubError(f"another demo runs on {self._data_dir}; stop it, or choose another --data-dir") from None
        except OSError as error:
            problem = f"{self._data_dir} cannot be written: {error.strerror}"
            raise HubError(f"{problem}; choose another --data-dir") from error
        return lock

    def _start(self, stack: contextlib.ExitStack) -> _System:
        if self._options.port and not is_free(self._options.port):
            raise PortInUseError("web page", HOST, self._options.port)
        postgres = EmbeddedPostgres(self._data_dir / "postgres")
        stack.callback(postgres.stop)
        postgres.launch()
        asked = self._options.mqtt_port
        broker = EmbeddedMqttBroker(self._data_dir, _usual_or_free(MQTT_PORT) if asked is None else asked)
        stack.callback(broker.stop)
        mqtt_url = broker.start()
        supervisor = stack.enter_context(Supervisor(self._data_dir / "logs"))
        hub, bridge, addresses = self._start_hub_and_bridge(supervisor, postgres, mqtt_url)
        hub_url = next(address for address in addresses if address.startswith("ws:"))
        device_sim = child_process.program("device-sim")
        dashboard = supervisor.start("dashboard", [device_sim, "watch", "--hub-url", hub_url])
        for child in (bridge, dashboard):
            child.wait_ready(READY_DEADLINE_S)
        fleet_options = ["--devices", str(self._options.devices), "--rate", str(self._options.rate), "--for", "inf"]
        fleet_options += ["--mqtt-url", mqtt_url, "--ledger", str(self._ledger), "--quiet"]
        fleet = supervisor.start("fleet", [device_sim, "run", FLEET, *fleet_options])
        fleet.wait_ready(READY_DEADLINE_S)
        return _System(postgres, broker, supervisor, hub, bridge, dashboard, fleet, postgres.url, tuple(addresses))

    def _start_hub_and_bridge(
        self, supervisor: Supervisor, postgres: EmbeddedPostgres, mqtt_url: str
    ) -> tuple[Child, Child, list[str]]:
        """Start both on the asked or the usual ports, or free ones instead of these; return them and the hub's addresses.

        The bridge does not wait for the hub, as most of a start is imports, on one core each; it tries until the hub
        listens.
        """
        asked = self._options.port
        while True:
            http_port = _usual_or_free(HTTP_PORT) if asked is None else asked or free_port()
            stomp_port = _usual_or_free(STOMP_PORT)
            command = [child_process.program("telemetry-hub"), "serve", "--database-url", postgres.url]
            command += ["--data-dir", str(self._data_dir / "hub")]
            command += ["--port", str(http_port), "--stomp-port", str(stomp_port)]
            hub = supervisor.start("hub", command)
            postgres.wait_ready()
            command = [child_process.program("telemetry-bridge"), "run", "--health-port", "0"]
            command += ["--mqtt-url", mqtt_url, "--hub-url", f"ws://{HOST}:{http_port}/ws"]
            bridge = supervisor.start("bridge", command)
            try:
                return hub, bridge, hub.wait_ready(READY_DEADLINE_S)
            except ChildFailedError:
                # Another program (a second demo) may have taken a usual port between our look and the hub's.
                taken = [port for port in (http_port, stomp_port) if not is_free(port)]
                if not taken or asked in taken:
                    raise
                for child in (bridge, hub):
                    supervisor.discard(child)

    def _live(self, system: _System) -> None:
        """Say where everything is, then show what the hub counts until the time is over."""
        print("ready", *system.addresses, system.broker.url, flush=True)  # noqa: T201 - the contract with our starter
        for name, where in (
            ("page", system.page),
            ("MQTT", f"{system.broker.url}{self._instead_of_the_usual(system.broker.port)}"),
            ("STOMP", " ".join(system.addresses[1:])),
            ("database", system.database_url),
            ("data", f"{self._data_dir} (logs in logs/)"),
        ):
            self._console.print(f"{name:9} {where}", soft_wrap=True, highlight=False)
        started = time.monotonic()
        if self._options.browser and _has_screen():
            webbrowser.open(system.page)
        with StatusLine(self._console, self._options.devices) as status:
            while self._options.run_for_s is None or time.monotonic() - started < self._options.run_for_s:
                system.check()
                status.show(scrape(system.page), time.monotonic() - started)
                time.sleep(STATUS_PERIOD_S)

    def _instead_of_the_usual(self, port: int) -> str:
        usual = port == MQTT_PORT or self._options.mqtt_port is not None
        return "" if usual else f" (port {MQTT_PORT} is taken)"

    def _finish(self, system: _System) -> dict[str, Any]:
        """Stop in order, each part when nothing is on its way to it, and count."""
        fleet = json.loads(system.supervisor.stop(system.fleet, FLEET_STOP_DEADLINE_S, FLEET_ENDS))
        deadline = time.monotonic() + DRAIN_DEADLINE_S
        while self._verify(system.database_url)["lost"] and time.monotonic() < deadline:
            system.check()
        watched = json.loads(system.supervisor.stop(system.dashboard))
        quarantined = int(scrape(system.page).get(QUARANTINED, 0))
        system.supervisor.stop(system.bridge)
        system.supervisor.stop(system.hub)
        proof = self._verify(system.database_url)
        return {
            **{name: proof[name] for name in ("published", "acknowledged", "stored", "duplicates", "lost")},
            "quarantined": quarantined,
            "delivered": watched["delivered"],
            "seconds": fleet["seconds"],
        }

    def _verify(self, database_url: str) -> dict[str, int]:
        """Count the ledger's acknowledged readings in the database, with the auditor's own program."""
        command = [child_process.program("device-sim"), "verify", "--ledger", str(self._ledger)]
        command += ["--database-url", database_url]
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=VERIFY_DEADLINE_S)
        lines = result.stdout.splitlines()
        if result.returncode not in {0, 1} or not lines:
            raise ChildFailedError("device-sim verify", f"ended with status {result.returncode}", result.stderr)
        counts: dict[str, int] = json.loads(lines[-1])
        return counts


def _usual_or_free(usual: int) -> int:
    """Return the usual port, where it is taken some free one."""
    return usual if is_free(usual) else free_port()


def _has_screen() -> bool:
    """Return whether a browser would open beside the terminal and not inside it."""
    # Not a setting of ours: where the desktop puts its windows.
    display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and (sys.platform != "linux" or display)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """Stop on SIGTERM as on Ctrl-C."""
    raise KeyboardInterrupt
