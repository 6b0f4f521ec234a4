"""`telemetry-bridge`: the command line. Settings in, one ready line out, exit status 0 after a stop that was asked for."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from bridge.settings import BridgeSettings, load_settings
from hub.errors import HubError
from hub.logs import configure_logs

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _root() -> None:
    """Relay MQTT messages to a telemetry hub, at least once and in order."""


@app.command()
def run(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="mqtt://[user:password@]host:port")] = None,
    hub_url: Annotated[str | None, typer.Option(help="ws://host:port/ws")] = None,
    filters: Annotated[list[str] | None, typer.Option("--filter", help="MQTT topic filter; repeatable.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Names the persistent session.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /livez, /readyz, /metrics; 0: a free one.")] = None,
) -> None:
    """Run the bridge until SIGTERM or SIGINT."""
    given = {
        "mqtt_url": mqtt_url,
        "hub_url": hub_url,
        "filters": filters,
        "client_id": client_id,
        "health_port": health_port,
    }
    try:
        settings = load_settings(config, {key: value for key, value in given.items() if value is not None}).settings
        _run(settings)
    except HubError as error:
        typer.echo(f"telemetry-bridge: {error}", err=True)
        raise typer.Exit(error.exit_status) from None


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
    app()
