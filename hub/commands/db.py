"""`telemetry-hub db …`: the commands and their options; what they do is in `db_work`.

They work beside a running hub. Imports inside the commands keep `--help` quick.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from hub.errors import HubError

if TYPE_CHECKING:
    from hub.settings.model import HubSettings

app = typer.Typer(help="Look at the database, the spool and the quarantine, and repair.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Payloads that could not become readings: how many, by topic and reason.")
app.add_typer(quarantine_app, name="quarantine")

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.", metavar="FILE")]
DataDir = Annotated[Path | None, typer.Option(help="Where the embedded database and the spool live.", metavar="DIR")]
DatabaseUrl = Annotated[str | None, typer.Option(help="embedded, or postgresql://user:password@host:port/database.")]
Reason = Annotated[str | None, typer.Option(help="Only those refused for this reason.")]
Topic = Annotated[str, typer.Option(help="Only those with this text in their topic.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, with counts, and stop.")]


class Format(StrEnum):
    """Formats of `db export`."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def partitions(
    *,
    as_json: Json = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List the leaves of all tables with their sizes, and say how far the rollups are."""
    from hub.commands import db_work

    db_work.show_partitions(_settings(config, database_url, data_dir), as_json=as_json)


@app.command()
def spool(*, as_json: Json = False, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Say what waits in the spool. The hub drains it by itself as soon as the database answers."""
    from hub.commands import db_work

    db_work.show_spool(_settings(config, None, data_dir), as_json=as_json)


@app.command("vacuum-advice")
def vacuum_advice(
    *,
    as_json: Json = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Say what vacuum or a setting of the server should be changed for this load, if anything."""
    from hub.commands import db_work

    db_work.show_advice(_settings(config, database_url, data_dir), as_json=as_json)


@app.command("export")
def export_range(
    device: str,
    metric: str,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write; - is the standard output.")],
    start: Annotated[datetime | None, typer.Option("--from", help="First instant, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="First instant that is left out, UTC.")] = None,
    kind: Annotated[Format, typer.Option("--format", help="Parquet needs the extra `parquet`.")] = Format.CSV,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: texts as they are, without the ' before what a spreadsheet would run.")
    ] = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write a range of the readings of a device and metric to a file."""
    from hub.commands import db_work

    settings = _settings(config, database_url, data_dir)
    db_work.export_range(settings, (device, metric), (start, end), output, kind.value, raw=raw)


@app.command("delete")
def delete_names(
    device: str,
    metric: Annotated[str | None, typer.Argument(help="One metric; without it all of the device.")] = None,
    *,
    start: Annotated[datetime | None, typer.Option("--from", help="First instant, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="First instant that stays, UTC.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Delete a device, a metric of it, or a range of time of either: readings, rollups, the memory of running hubs."""
    from hub.commands import db_names

    change = db_names.change_of(device, metric, (start, end))
    settings = _settings(config, database_url, data_dir)
    db_names.delete_names(settings, change, db_names.Consent(yes, dry_run))


@app.command("rename")
def rename_names(
    device: str,
    new_device: Annotated[str, typer.Argument(help="The new name; the old one where only the metric changes.")],
    *,
    metric: Annotated[str | None, typer.Option(help="Only this metric of the device.")] = None,
    new_metric: Annotated[str | None, typer.Option(help="The metric's new name.")] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Return a device or a metric another name, with all that is stored; what comes under the old name is new."""
    from hub.commands import db_names

    if new_metric is not None and metric is None:
        raise HubError("--new-metric needs --metric: the one that is renamed")
    change = db_names.change_of(device, metric, new=(new_device, new_metric))
    settings = _settings(config, database_url, data_dir)
    db_names.rename_names(settings, change, db_names.Consent(yes, dry_run))


@quarantine_app.callback(invoke_without_command=True)
def quarantine_counts(
    context: typer.Context,
    *,
    reason: Reason = None,
    topic: Topic = "",
    limit: Limit = 50,
    as_json: Json = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Count quarantined payloads by topic and reason; the commands below look at single ones."""
    if context.invoked_subcommand is not None:
        return
    from hub.commands import db_work

    db_work.count_quarantine(_settings(config, database_url, data_dir), reason, topic, limit, as_json=as_json)


@quarantine_app.command("list")
def quarantine_list(
    *,
    reason: Reason = None,
    topic: Topic = "",
    limit: Limit = 50,
    as_json: Json = False,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List quarantined payloads, newest first."""
    from hub.commands import db_work

    db_work.list_quarantine(_settings(config, database_url, data_dir), reason, topic, limit, as_json=as_json)


@quarantine_app.command("show")
def quarantine_show(
    identity: UUID, *, config: ConfigFile = None, database_url: DatabaseUrl = None, data_dir: DataDir = None
) -> None:
    """Print one quarantined payload."""
    from hub.commands import db_work

    db_work.show_quarantined(_settings(config, database_url, data_dir), identity)


@quarantine_app.command("retry")
def quarantine_retry(
    identity: Annotated[
        UUID | None, typer.Argument(help="One payload; without it all that the options choose.")
    ] = None,
    *,
    reason: Reason = None,
    topic: Topic = "",
    limit: Limit = 1_000,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Take payloads through the routes once more; those that give readings now leave the quarantine."""
    from hub.commands import db_work

    db_work.retry_quarantined(_settings(config, database_url, data_dir), identity, reason, topic, limit)


def _settings(config: Path | None, database_url: str | None, data_dir: Path | None) -> "HubSettings":
    from hub.settings.model import load_settings

    overrides: dict[str, object] = {}
    if data_dir is not None:
        overrides["data_dir"] = data_dir
    if database_url is not None:
        overrides["storage"] = {"database_url": database_url}
    return load_settings(config, overrides).settings
