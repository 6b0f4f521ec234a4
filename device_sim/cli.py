"""The program `device-sim`: its commands and options. What they do is in `programs`.

An argument that cannot be used is told in one line on stderr that names it, with exit status 2, before anything is
sent. Imports inside the commands keep `--help` quick.
"""

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from device_sim.errors import SimulatorError
from hub.processes.program import Version, hide_passwords

DEFAULT_HUB_URL = "ws://127.0.0.1:8080/ws"
DEFAULT_MQTT_URL = "mqtt://127.0.0.1:1883"
DEFAULT_STOMP_URL = "stomp://127.0.0.1:61613"
DEFAULT_TOPIC = "devices/{device}/telemetry"

app = typer.Typer(
    help="Simulated devices and dashboards for a telemetry hub, and the proof that nothing was lost.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Protocol = Annotated[str, typer.Option(help="mqtt (to a broker) or stomp (straight to the hub).")]
MqttUrl = Annotated[str, typer.Option(help="mqtt[s]://[user:password@]host[:port]")]
HubUrl = Annotated[str, typer.Option(help="ws[s]://[user:password@]host[:port]/ws")]
Topic = Annotated[str, typer.Option(help="MQTT topic; {device} is the device's name.")]
LedgerFile = Annotated[
    Path | None, typer.Option(help="Append what is sent and acknowledged, for `verify`.", metavar="FILE")
]


@app.callback()
def _program(*, version: Version = False) -> None:
    """Simulated devices and dashboards for a telemetry hub, and the proof that nothing was lost."""


@app.command()
def run(
    scenario: Annotated[
        str | None,
        typer.Argument(help="A built-in scenario (see `list`) or a TOML file; without it a simple fleet."),
    ] = None,
    *,
    devices: Annotated[
        int | None,
        typer.Option(help="How many devices in all. [default: the scenario's, or 10]"),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Messages a second of all devices together. [default: the scenario's, or 10]")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Simple fleet: mqtt (to a broker) or stomp (straight to the hub). [default: mqtt]"),
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(help="Simple fleet: MQTT topic; {device} is the name. [default: devices/{device}/telemetry]"),
    ] = None,
    mqtt_url: MqttUrl = DEFAULT_MQTT_URL,
    hub_url: HubUrl = DEFAULT_HUB_URL,
    stomp_url: Annotated[str, typer.Option(help="stomp[s]://[user:password@]host[:port]")] = DEFAULT_STOMP_URL,
    tls_ca: Annotated[Path | None, typer.Option(help="Authorities to trust with TLS.", metavar="FILE")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate of the devices.", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Key of that certificate.", metavar="FILE")] = None,
    run_for: Annotated[
        float | None, typer.Option("--for", help="Seconds; a scenario is stretched or shortened. inf: until Ctrl-C.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same devices, same schedule. [default: the scenario's, or 0]")
    ] = None,
    processes: Annotated[int, typer.Option(help="Share the devices out over so many processes.")] = 1,
    ledger: LedgerFile = None,
    database_url: Annotated[
        str | None, typer.Option(help="Scenario: audit the ledger against this database at the end.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Scenario: write a report: FILE.json, FILE.xml (JUnit), FILE.html.", metavar="FILE"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No live view and no report on the terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a second on stdout.")] = False,
) -> None:
    """Run a scenario, or a simple fleet until --for or Ctrl-C; the last line counts what was sent, as JSON.

    Exit status of a scenario: 0 when all expectations are met, 1 when one is not, 3 when the simulator itself was the
    bottleneck.
    """
    from device_sim.errors import BadArgumentError
    from device_sim.links.identity import TlsFiles, client_context, parse_address
    from device_sim.replay.program import parse_target
    from device_sim.run.identities import Targets
    from device_sim.run.plan import ScenarioPlan, SimplePlan
    from device_sim.run.processes import check_processes
    from device_sim.run.program import RunOptions, refuse_simple_options, run_scenario, run_simple
    from device_sim.schedule.fleet import Fleet

    if run_for is not None and not run_for > 0:
        raise BadArgumentError("--for", f"{run_for:g} is not a number of seconds above 0")
    if devices is not None and devices < 1:
        raise BadArgumentError("--devices", f"{devices} devices send nothing; give 1 or more")
    if rate is not None and not 0 < rate < math.inf:
        raise BadArgumentError("--rate", f"{rate:g} is not a number of messages a second above 0")
    tls = TlsFiles(tls_ca, tls_cert, tls_key)
    client_context(tls)
    options = RunOptions(
        check_processes(processes), ledger, database_url, tuple(report or ()), quiet=quiet, json=as_json
    )
    if scenario is None:
        target = parse_target(protocol or "mqtt", mqtt_url, hub_url)
        fleet = Fleet(
            10 if devices is None else devices, 10.0 if rate is None else rate, seed or 0, topic or DEFAULT_TOPIC
        )
        run_simple(SimplePlan(fleet, target.address, None if run_for == math.inf else run_for, tls), options)
        return
    from device_sim.scenario.builtin import find_scenario

    refuse_simple_options({"--protocol": protocol, "--topic": topic})
    targets = Targets(
        parse_address(mqtt_url, "mqtt", "--mqtt-url"),
        parse_address(hub_url, "ws", "--hub-url"),
        parse_address(stomp_url, "stomp", "--stomp-url"),
        tls,
    )
    found = find_scenario(scenario)
    if devices is not None or rate is not None:
        found = found.sized(devices, rate)
    if run_for is not None:
        found = found.lasting(run_for)
    sys.exit(run_scenario(ScenarioPlan(found, found.seed if seed is None else seed, targets), targets, options))


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
    topic: Topic = DEFAULT_TOPIC,
) -> None:
    """Publish a recording with the times it was recorded at; the last line counts its readings, as JSON."""
    from device_sim.replay.program import parse_target, run_replay

    run_replay(parse_target(protocol, mqtt_url, hub_url), file, device, metric, speed, topic, ledger)


@app.command()
def watch(
    *,
    hub_url: HubUrl = DEFAULT_HUB_URL,
    destination: Annotated[str, typer.Option(help="What to subscribe to.")] = "/topic/readings/#",
) -> None:
    """Be a dashboard: count what is delivered until SIGTERM or Ctrl-C; the last line says how much, as JSON."""
    from device_sim.links.identity import parse_address
    from device_sim.watch import run_watch

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
    from device_sim.verify.database import run_verify  # SQLAlchemy and asyncpg: nothing that devices need

    files = [*(ledgers or ()), *(ledger or ())]
    if not files:
        raise BadArgumentError("LEDGER", "name one or more files that `run` or `replay` wrote")
    sys.exit(run_verify(files, database_url))


@app.command()
def chaos(
    *,
    seed: Annotated[int, typer.Option(help="Same seed, same fleet, same kills.")] = 0,
    minutes: Annotated[float, typer.Option(help="How long the fleet sends.")] = 3.0,
    devices: Annotated[int, typer.Option(help="How many devices.")] = 200,
    rate: Annotated[float, typer.Option(help="Messages a second of each device.")] = 5.0,
    link: Annotated[str, typer.Option(help="How devices connect: mqtt, mqtt5 or stomp-ws.")] = "mqtt",
    scenario: Annotated[
        str | None, typer.Option(help="Instead: a built-in scenario or a TOML file.", metavar="SCENARIO")
    ] = None,
    kill: Annotated[
        str, typer.Option(help="What is killed: some of hub,bridge,postgres,broker.")
    ] = "hub,bridge,postgres",
    faults: Annotated[
        str | None, typer.Option(help="What else happens: some of clock,database,days.", metavar="FAULTS")
    ] = None,
    pooler: Annotated[
        str | None, typer.Option(help="PgBouncer before Postgres: transaction or session.", metavar="MODE")
    ] = None,
    broker: Annotated[str, typer.Option(help="nats (of the extra `embedded`) or mosquitto (installed).")] = "nats",
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here; else temporary, kept when it fails.", metavar="DIR")
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Write a report: FILE.json, FILE.xml (JUnit), FILE.html.", metavar="FILE"),
    ] = None,
) -> None:
    """Start the whole system on loopback, kill -9 its parts while a fleet sends, and prove that nothing was lost.

    Exit status 0 when nothing was lost, stored twice, made up or altered, else 1.
    """
    from device_sim.chaos.faults import FAULTS
    from device_sim.chaos.plan import PARTS, parse_names
    from device_sim.chaos.run import Chaos, ChaosOptions

    parts = parse_names(kill, PARTS, "--kill")
    others = () if faults is None else parse_names(faults, list(FAULTS), "--faults")
    reports = tuple(report or ())
    options = ChaosOptions(
        seed, minutes, devices, rate, link, scenario, parts, broker, data_dir, reports, others, pooler
    )
    sys.exit(Chaos(options).run())


@app.command()
def bench(
    load: Annotated[str, typer.Argument(help="fanout, ingest, pipeline or connections.")],
    *,
    against: Annotated[
        list[str] | None,
        typer.Option(help="A STOMP-over-WebSocket server; several are measured in turns.", metavar="URL"),
    ] = None,
    mqtt_url: MqttUrl = DEFAULT_MQTT_URL,
    run_for: Annotated[float, typer.Option("--for", help="Seconds of each load.", min=2)] = 10,
    topic: Annotated[
        str, typer.Option(help="Topic instead of the load's own; {device} is the name. RabbitMQ takes no slashes.")
    ] = "",
    only: Annotated[str, typer.Option(help="Only loads with this text in their name.")] = "",
    vhost: Annotated[
        str | None, typer.Option(help="STOMP virtual host; RabbitMQ's is /. [default: the server's name]")
    ] = None,
) -> None:
    """Put the standard loads on a running hub, or a peer of it: a JSON object a row on stdout, a table on stderr.

    Exit status 2 when a server cannot be reached; 3 when a row means nothing, because the simulator was the bottleneck, a
    connection was lost, or the server acknowledged or delivered nothing.
    """
    from device_sim.bench.loads import BENCHES
    from device_sim.bench.program import run_bench
    from device_sim.errors import BadArgumentError
    from device_sim.links.identity import parse_address
    from device_sim.run.identities import Targets

    name = next((known for known in BENCHES if known == load), None)
    if name is None:
        raise BadArgumentError("LOAD", f"{load!r} is none of {', '.join(BENCHES)}")
    if run_for == math.inf:
        raise BadArgumentError("--for", "each load needs an end")
    mqtt = parse_address(mqtt_url, "mqtt", "--mqtt-url")
    stomp = parse_address(DEFAULT_STOMP_URL, "stomp", "--stomp-url")
    hubs = [parse_address(url, "ws", "--against") for url in against or [DEFAULT_HUB_URL]]
    sys.exit(run_bench(name, run_for, topic, [Targets(mqtt, hub, stomp, vhost=vhost) for hub in hubs], only))


@app.command(name="list")
def list_scenarios() -> None:
    """List the built-in scenarios."""
    from device_sim.scenario.builtin import find_scenario, names

    for name in names():
        scenario = find_scenario(name)
        print(f"{name:16} {sum(scenario.counts):5} devices {scenario.duration:4g} s  {scenario.title}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name that `list` prints.")]) -> None:
    """Print the file of a built-in scenario, to read or to copy and change."""
    from device_sim.scenario.builtin import text_of

    print(text_of(name), end="")


@app.command()
def check(
    scenario: Annotated[str, typer.Argument(help="A file, or the name of a built-in one.", metavar="SCENARIO")],
) -> None:
    """Check a scenario and sum it up; each problem is named with line and key, exit status 2."""
    from device_sim.scenario.builtin import find_scenario
    from device_sim.scenario.check import summary

    print(summary(find_scenario(scenario)))


def main() -> None:
    """Run the program."""
    hide_passwords()
    try:
        app()
    except SimulatorError as error:
        print(f"device-sim: {error}", file=sys.stderr)
        sys.exit(2)
