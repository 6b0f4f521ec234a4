"""`telemetry-bridge`: the command line. What the commands do is elsewhere.

An error with a class of its own is printed as one line on stderr; the exit status is 2 for a wrong setting or option, 1 for
anything else.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bridge.settings import BridgeSettings, load_settings
from hub.errors import HubError
from hub.observe.logs import configure_logs
from hub.processes.program import Version, hide_passwords

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

ConfigFile = Annotated[Path | None, typer.Option(help="TOML file with settings.", metavar="FILE")]
MqttUrl = Annotated[str | None, typer.Option(help="mqtt://, mqtts://, ws:// or wss://[user:password@]host:port")]
HubUrl = Annotated[str | None, typer.Option(help="ws://host:port/ws")]
Filters = Annotated[list[str] | None, typer.Option("--filter", help="MQTT topic filter; repeatable.")]
ClientId = Annotated[str | None, typer.Option(help="Names the persistent session.")]


@app.callback()
def _root(*, version: Version = False) -> None:
    """Relay MQTT messages to a telemetry hub, at least once and in order."""


@app.command()
def run(
    config: ConfigFile = None,
    mqtt_url: MqttUrl = None,
    hub_url: HubUrl = None,
    filters: Filters = None,
    client_id: ClientId = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /livez, /readyz, /metrics; 0: a free one.")] = None,
) -> None:
    """Run the bridge until SIGTERM or SIGINT."""
    _run(
        _settings(
            config,
            mqtt_url=mqtt_url,
            hub_url=hub_url,
            filters=filters,
            client_id=client_id,
            health_port=health_port,
        )
    )


@app.command()
def check(
    config: ConfigFile = None,
    mqtt_url: MqttUrl = None,
    hub_url: HubUrl = None,
    filters: Filters = None,
    client_id: ClientId = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for each side (connect_timeout_s).", min=0.1)] = None,
    mosquitto_conf: Annotated[
        Path | None, typer.Option(help="Look for what loses messages in this file, too.", metavar="FILE")
    ] = None,
) -> None:
    """Connect to both sides once, and say what is wrong and what to do; 0: all well, 1: something to mend."""
    from bridge.inspect.check import check as check_sides
    from bridge.inspect.mosquitto_conf import read, remarks

    settings = _settings(
        config, mqtt_url=mqtt_url, hub_url=hub_url, filters=filters, client_id=client_id, connect_timeout_s=timeout
    )
    found = [] if mosquitto_conf is None else remarks(read(mosquitto_conf))
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the findings say it
    findings = asyncio.run(check_sides(settings))
    for line in (*findings, *(f"FAIL  {mosquitto_conf}: {remark}" for remark in found)):
        print(line)
    if found or not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def explain(topic: str, config: ConfigFile = None, filters: Filters = None) -> None:
    """Say what becomes of a message on an MQTT topic, or why nothing does; 0: it goes to the hub, 1: it does not."""
    from bridge.inspect.explain import explain as explain_topic

    explanation = explain_topic(_settings(config, filters=filters), topic)
    print(explanation)
    if not explanation.goes_up:
        raise typer.Exit(1)


def _settings(config: Path | None, **options: object) -> BridgeSettings:
    """Load them; what the command line leaves out is looked for elsewhere."""
    return load_settings(config, {key: value for key, value in options.items() if value is not None}).settings


def _run(settings: BridgeSettings) -> None:
    configure_logs()
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(settings))
    else:
        uvloop.run(_serve(settings))


async def _serve(settings: BridgeSettings) -> None:
    from bridge.bridge import Bridge

    bridge = Bridge(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, bridge.stop)
    loop.set_exception_handler(lambda _loop, context: bridge.fail(context.get("exception")))
    await bridge.run(lambda health: print(f"ready {settings.mqtt} {settings.hub} {health}", flush=True))


def main() -> None:
    """Run the program."""
    hide_passwords()
    try:
        app()
    except HubError as error:
        print(f"telemetry-bridge: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
