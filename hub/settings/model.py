"""The table of the hub's settings: name, default, unit, help. How they are read: hub/settings/source.py.

Settings are read once at start and passed down frozen; nothing else looks at the environment. A section that belongs to
one package stands there (storage/settings.py, hub/settings/limits.py). docs/reference/settings.md has a row for each,
which a test asserts.
"""

from pathlib import Path

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hub.observe.logs import LogLevel
from hub.settings import source as settings_source
from hub.settings.limits import Limits
from hub.telemetry.formats import FormatSettings
from hub.telemetry.routes import DEFAULT_ROUTES, ByContent, Routes, RouteSettings
from storage.settings import StorageSettings

PREFIX = "TELEMETRY_HUB_"
_FROZEN = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(BaseModel):
    """The HTTP port: the web page, /ws, the HTTP interface."""

    model_config = _FROZEN
    host: str = Field(default="127.0.0.1", description="address to listen on, for HTTP and for plain STOMP")
    port: int = Field(default=8080, ge=0, le=65535, description="port; 0 takes a free one and prints it")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="names that browsers may call the hub by, beside localhost and loopback addresses"
    )


class StompSettings(BaseModel):
    """STOMP on plain TCP."""

    model_config = _FROZEN
    port: int = Field(default=61613, ge=0, le=65535, description="port; 0 switches plain TCP off")


class TelemetrySettings(BaseModel):
    """Which topics carry readings."""

    model_config = _FROZEN
    routes: tuple[RouteSettings, ...] = Field(
        default=DEFAULT_ROUTES, description="topics with telemetry; the most specific filter that matches wins"
    )
    formats: tuple[FormatSettings, ...] = Field(
        default=(), description="formats of your own, as path expressions; see docs/reference/payloads.md"
    )
    by_content: ByContent = Field(
        default="bridged",
        description="whose other topics are decoded by their content: those that come over a bridge, all, or off",
    )
    future_s: float = Field(
        default=300.0, ge=0, description="how far ahead of the hub's clock a device time may be, s; else quarantine"
    )


class LogSettings(BaseModel):
    """Logs on stderr."""

    model_config = _FROZEN
    level: LogLevel = Field(default="info", description="least severity that is written")


class UserSettings(BaseModel):
    """Somebody who may CONNECT with a login and passcode."""

    model_config = _FROZEN
    name: str = Field(min_length=1, description="the STOMP login")
    password: SecretStr = Field(description="the STOMP passcode; never shown again")


class HubSettings(settings_source.Settings):
    """Everything `telemetry-hub serve` can be told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=settings_source.NESTING, frozen=True, extra="forbid"
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("telemetry-hub", appauthor=False),
        description="where the embedded database and the spool live",
    )
    http: HttpSettings = HttpSettings()
    stomp: StompSettings = StompSettings()
    limits: Limits = Limits()
    telemetry: TelemetrySettings = TelemetrySettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()
    users: tuple[UserSettings, ...] = Field(
        default=(), description="who may connect; empty: everybody on the hub's own machine, nobody else"
    )


def routes_of(telemetry: TelemetrySettings) -> Routes:
    """Build the routes; raises RouteError or TopicError for one that cannot work."""
    return Routes(telemetry.routes, telemetry.by_content, telemetry.formats)


def load_settings(
    config_file: Path | None = None, overrides: settings_source.Tree | None = None
) -> settings_source.Loaded[HubSettings]:
    """Read the hub's settings; raises SettingsError."""
    return settings_source.load(HubSettings, config_file, overrides)
