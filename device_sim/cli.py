"""The program `device-sim`: its commands and options. What they do is in `programs`.

An argument that cannot be used is told in one line on stderr that names it, with exit status 2, before anything is
sent. Imports inside the commands keep `--help` quick.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from device_sim.errors import SimulatorError

DEFAULT_HUB_URL = "ws://127.0.0.1:8080/ws"
DEFAULT_MQTT_URL = "mqtt://127.0.0.1:1883"

app = typer.Typer(
    help="Simulated devices and dashboards for a telemetry hub, and the proof that nothing was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Protocol = Annotated[str, typer.Option(help="mqtt (to a broker) or stomp (straight to the hub).")]
MqttUrl = Annotated[str, typer.Option(help="mqtt://[user:password@]host[:port]")]
HubUrl = Annotated[str, typer.Option(help="ws://[user:password@]host[:port]/ws")]
Topic = Annotated[str, typer.Option(help="MQTT topic; {device} is the device's name.")]
LedgerFile = Annotated[
    Path | None, typer.Option(help="Append what is sent and acknowledged, for `verify`.", metavar="FILE")
]


@app.command()
def run(
    *,
    devices: Annotated[int, typer.Option(help="How many devices.")] = 10,
    rate: Annotated[float, typer.Option(help="Messages a second of all devices together.")] = 10.0,
    protocol: Protocol = "mqtt",
    mqtt_url: MqttUrl = DEFAULT_MQTT_URL,
    hub_url: HubUrl = DEFAULT_HUB_URL,
    run_for: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same devices, same schedule.")] = 0,
    ledger: LedgerFile = None,
    topic: Topic = "devices/{device}/telemetry",
) -> None:
    """Publish the readings of a simulated fleet until --for, SIGTERM or Ctrl-C; the last line counts them, as JSON."""
    from device_sim.errors import BadArgumentError
    from device_sim.fleet import Fleet
    from device_sim.programs import parse_target, run_fleet

    if run_for is not None and not run_for > 0:
        raise BadArgumentError("--for", f"{run_for:g} is not a number of seconds above 0")
    run_fleet(parse_target(protocol, mqtt_url, hub_url), Fleet(devices, rate, seed, topic), run_for, ledger)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV with the columns timestamp and value.", metavar="FILE")],
    *,
    device: Annotated[str, typer.Option(help="Name of the device that sends it.")],
    metric: Annotated[str, typer.Option(help="Name of the metric.")],
    speed: Annotated[str, typer.Option(help="max, 1 (as recorded), 60 (a minute a second) …")] = "max",
    protocol: Protocol = "mqtt",
    mqtt_url: MqttUrl = DEFAULT_MQTT_URL,
    hub_url: HubUrl = DEFAULT_HUB_URL,
    ledger: LedgerFile = None,
    topic: Topic = "devices/{device}/telemetry",
) -> None:
    """Publish a recording with the times it was recorded at; the last line counts its readings, as JSON."""
    from device_sim.programs import parse_target, run_replay

    run_replay(parse_target(protocol, mqtt_url, hub_url), file, device, metric, speed, topic, ledger)


@app.command()
def watch(
    *,
    hub_url: HubUrl = DEFAULT_HUB_URL,
    destination: Annotated[str, typer.Option(help="What to subscribe to.")] = "/topic/readings/#",
) -> None:
    """Be a dashboard: count what is delivered until SIGTERM or Ctrl-C; the last line says how much, as JSON."""
    from device_sim.links.address import parse_address
    from device_sim.programs import run_watch

    run_watch(parse_address(hub_url, "ws", "--hub-url"), destination)


@app.command()
def verify(
    *,
    ledgers: Annotated[
        list[Path] | None, typer.Argument(help="What `run` or `replay` wrote: one or more files.", metavar="LEDGER…")
    ] = None,
    ledger: Annotated[list[Path] | None, typer.Option(help="The same as an option.", metavar="FILE")] = None,
    database_url: Annotated[str, typer.Option(help="postgresql://user:password@host:5432/database")],
) -> None:
    """Compare ledgers with the database: lost, duplicate, phantom and altered readings; exit status 1 when there is one."""
    from device_sim.errors import BadArgumentError
    from device_sim.verify.program import run_verify  # SQLAlchemy and asyncpg: nothing that devices need

    files = [*(ledgers or ()), *(ledger or ())]
    if not files:
        raise BadArgumentError("LEDGER", "name one or more files that `run` or `replay` wrote")
    sys.exit(run_verify(files, database_url))


def main() -> None:
    """Run the program."""
    try:
        app()
    except SimulatorError as error:
        print(f"device-sim: {error}", file=sys.stderr)
        sys.exit(2)
