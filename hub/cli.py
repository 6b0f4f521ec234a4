"""The program `telemetry-hub`: its commands and options. What they do is elsewhere.

Imports inside the commands keep `--help` quick. An error with a class of its own is printed as one line on stderr, with its
exit status: 2 for a wrong setting, as for a wrong option, 1 for anything else.
"""

import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from hub.commands.db import app as db_app
from hub.errors import HubError
from hub.observe.logs import configure_logs
from hub.processes.program import Version, hide_passwords
from storage.errors import StorageError

app = typer.Typer(
    help="A hub between device fleets and the people who watch them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
config_app = typer.Typer(help="Look at the settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.", metavar="FILE")]
DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database and the spool live.", metavar="DIR")]
DatabaseUrl = Annotated[str | None, typer.Option(help="embedded, or postgresql://user:password@host:port/database.")]


@app.callback()
def _program(*, version: Version = False) -> None:
    """A hub between device fleets and the people who watch them."""


@app.command()
def serve(
    *,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP and WebSocket port; 0 takes a free one.")] = None,
    stomp_port: Annotated[int | None, typer.Option(help="Port of STOMP on plain TCP; 0 switches it off.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Run the hub until SIGTERM or Ctrl-C; print `ready` and the addresses when it serves."""
    from hub.settings.model import load_settings

    overrides = {
        "data_dir": data_dir,
        "http": _given(host=host, port=port),
        "stomp": _given(port=stomp_port),
        "storage": _given(database_url=database_url),
    }
    settings = load_settings(config, _given(**overrides)).settings

    from hub.commands.serve import run

    run(settings)


@app.command()
def migrate(
    *,
    ahead: Annotated[
        str | None, typer.Option(help="Make partitions so far ahead, such as P30D, for a hub that may not.")
    ] = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Bring the database's schema up to date and print its revision; the hub does so at start, too."""
    from pydantic import TypeAdapter, ValidationError

    from hub.commands.migrate import run
    from hub.settings.model import load_settings

    overrides = {"data_dir": data_dir, "storage": _given(database_url=database_url)}
    try:
        span = None if ahead is None else TypeAdapter(timedelta).validate_python(ahead)
    except ValidationError:
        raise typer.BadParameter("a duration such as P30D is needed", param_hint="--ahead") from None
    print(run(load_settings(config, _given(**overrides)).settings, span))


@app.command()
def demo(
    *,
    run_for: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.", min=0)] = None,
    devices: Annotated[int, typer.Option(help="Simulated devices.", min=1)] = 50,
    rate: Annotated[float, typer.Option(help="Messages a second of the whole fleet.", min=0.1)] = 100,
    data_dir: DataDir = None,
    port: Annotated[
        int | None, typer.Option(help="HTTP port; 8080 where it is free, else another.", min=0, max=65535)
    ] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(help="MQTT port; 1883 where it is free, else another.", min=0, max=65535)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the web page.")] = True,
) -> None:
    """Run the whole system with a simulated fleet; the last line says what was published, stored and lost, as JSON."""
    from hub.demo.demo import Demo, DemoOptions

    options = DemoOptions(
        run_for_s=run_for,
        devices=devices,
        rate=rate,
        data_dir=data_dir,
        port=port,
        mqtt_port=mqtt_port,
        browser=browser,
    )
    sys.exit(Demo(options).run())


@app.command()
def explain(
    topic: Annotated[str, typer.Argument(help="MQTT topic, without /topic/; with --live a filter.")],
    payload: Annotated[str | None, typer.Argument(help="The payload as text, or @file.")] = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Ask a running hub about what arrives now.")] = False,
    direct: Annotated[bool, typer.Option("--direct", help="As sent by a STOMP client, not over a bridge.")] = False,
    retained: Annotated[bool, typer.Option("--retained", help="As a retained message.")] = False,
    content_type: Annotated[str | None, typer.Option(help="As with this content-type.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a message.")] = False,
    hub_url: Annotated[str, typer.Option(help="With --live: the hub.")] = "ws://127.0.0.1:8080/ws",
    login: Annotated[str | None, typer.Option(help="With --live: STOMP login.")] = None,
    passcode: Annotated[
        str | None, typer.Option(help="With --live: its passcode.", envvar="TELEMETRY_HUB_PASSCODE")
    ] = None,
    run_for: Annotated[float, typer.Option("--for", help="With --live: seconds to wait at most.", min=0)] = 60,
    count: Annotated[int, typer.Option(help="With --live: messages at most.", min=1)] = 10,
    config: ConfigFile = None,
) -> None:
    """Say which route and decoder take a topic, and what readings come out of a payload, or why none."""
    from hub.commands.explain import Question, run

    question = Question(topic, payload, live, direct, retained, content_type, as_json, hub_url, login, passcode)
    sys.exit(run(question, config, seconds=run_for, messages=count))


@config_app.command("show")
def config_show(*, config: ConfigFile = None) -> None:
    """Print the effective settings as TOML, each with its origin; secrets are hidden."""
    from hub.settings.model import load_settings
    from hub.settings.view import render

    print(render(load_settings(config)), end="")


@config_app.command("list")
def config_list() -> None:
    """Print all settings with their defaults and meanings, as a Markdown table."""
    from hub.settings.model import HubSettings
    from hub.settings.table import render

    print(render(HubSettings), end="")


@config_app.command("check")
def config_check(*, config: ConfigFile = None) -> None:
    """Check the settings and stop; exit status 2 when one is wrong."""
    from hub.settings.model import load_settings

    load_settings(config)
    print("ok")


def _given(**options: object) -> dict[str, object]:
    """Leave out the options that the command line does not set, so that variables and the file apply."""
    return {name: value for name, value in options.items() if value is not None}


def main() -> None:
    """Run the program."""
    configure_logs("warning")  # to stderr: a command's answer is on stdout; `serve` sets its own level
    hide_passwords()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (HubError, StorageError) as error:
        print(f"telemetry-hub: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_status", 1))
