"""The table of the hub's settings: name, default, unit, help. How they are read: hub/settings/source.py.

Settings are read once at start and passed down frozen; nothing else looks at the environment. A section that belongs to
one package stands there (storage/settings.py, hub/settings/limits.py). docs/reference/settings.md has a row for each,
which a test asserts.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from hub.http.origins import parse_origin
from hub.http.peers import parse_network
from hub.observe.logs import LogLevel
from hub.settings import source as settings_source
from hub.settings.limits import Limits
from hub.telemetry.formats import FormatSettings
from hub.telemetry.routes import DEFAULT_ROUTES, DEFAULT_ZONE, ByContent, Routes, RouteSettings
from storage.settings import StorageSettings

PREFIX = "TELEMETRY_HUB_"
_FROZEN = ConfigDict(frozen=True, extra="forbid")


def _host(host: str) -> str:
    """Check a name or address to listen on; an empty one would mean every interface, to which nobody has agreed."""
    if not host.strip():
        raise PydanticCustomError(
            "empty_host", "is empty; say 127.0.0.1 for this machine alone, 0.0.0.0 or :: for every address"
        )
    try:
        host.encode("idna")
    except UnicodeError:
        raise PydanticCustomError("bad_host", "is neither a host name nor an address") from None
    return host.strip()


def _origin(text: str) -> str:
    try:
        parse_origin(text)
    except ValueError as error:
        raise PydanticCustomError("bad_origin", "{problem}", {"problem": str(error)}) from None
    return text.strip()


def _network(text: str) -> str:
    try:
        parse_network(text)
    except ValueError:
        raise PydanticCustomError("bad_network", "is neither an address nor a network such as 10.0.0.0/8") from None
    return text.strip()


def _prefix(text: str) -> str:
    """Check a path; the slash at its end does not matter."""
    path = text.strip().rstrip("/")
    if path and not re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+", path):
        raise PydanticCustomError("bad_prefix", "is not a path such as /telemetry")
    return path


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "is empty")
    return text


def _secret_not_blank(secret: SecretStr) -> SecretStr:
    _not_blank(secret.get_secret_value())
    return secret


class HttpSettings(BaseModel):
    """The HTTP port: the web page, /ws, the HTTP interface."""

    model_config = _FROZEN
    host: Annotated[str, AfterValidator(_host)] = Field(
        default="127.0.0.1", description="address to listen on, for HTTP and for plain STOMP"
    )
    port: int = Field(default=8080, ge=0, le=65535, description="port; 0 takes a free one and prints it")
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(), description="names that browsers may call the hub by, beside localhost and loopback addresses"
    )
    allowed_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = Field(
        default=(),
        description="pages that may use the hub, beside its own: https://dash.example, http://localhost:5173",
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        description="addresses or networks of proxies that forward requests; their X-Forwarded-For or Forwarded is trusted",
    )
    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="", description="path under which a proxy publishes the hub without stripping it, such as /telemetry"
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
        description="which other topics are decoded by their content: bridged (those that come over a bridge), all, or off",
    )
    zone: str = Field(
        default=DEFAULT_ZONE,
        description="what a time without a zone means on topics whose route names none, those of known firmwares included: "
        "a name such as Europe/Berlin",
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
    name: Annotated[str, AfterValidator(_not_blank)] = Field(description="the STOMP login")
    password: Annotated[SecretStr, AfterValidator(_secret_not_blank)] = Field(
        description="the STOMP passcode; never shown again"
    )
    role: Literal["user", "bridge"] = Field(
        default="user",
        description="bridge: may declare that its messages were MQTT, take commands and report its own state",
    )


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

    @field_validator("users")
    @classmethod
    def _names_differ(cls, users: tuple[UserSettings, ...]) -> tuple[UserSettings, ...]:
        first: dict[str, int] = {}
        for index, user in enumerate(users):
            if (other := first.setdefault(user.name, index)) != index:
                places = {"one": other, "two": index}
                raise PydanticCustomError("doubled", "users.{one} and users.{two} have the same name", places)
        return users


def routes_of(telemetry: TelemetrySettings) -> Routes:
    """Build the routes; raises RouteError or TopicError for one that cannot work."""
    return Routes(telemetry.routes, telemetry.by_content, telemetry.formats, telemetry.zone)


def load_settings(
    config_file: Path | None = None, overrides: settings_source.Tree | None = None
) -> settings_source.Loaded[HubSettings]:
    """Read the hub's settings; raises SettingsError."""
    return settings_source.load(HubSettings, config_file, overrides)
