"""The table of the bridge's settings: name, default, unit, help. How they are read: hub/settings_source.py.

Read once at start and passed down frozen. docs/reference/bridge-settings.md has a row for each, which a test asserts.
"""

from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from hub import settings_source
from hub.topics.names import ONE, REST, FilterLimits, TopicError, parse_filter

PREFIX: Final = "TELEMETRY_BRIDGE_"
_SHARE: Final = "$share"
_MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_HUB_PORTS: Final = {"ws": 80, "wss": 443}
_KIB: Final = 1024
_MIB: Final = 1024 * 1024


class BridgeSettings(settings_source.Settings):
    """Everything `telemetry-bridge run` can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    mqtt_url: str = Field(
        default="mqtt://127.0.0.1:1883", description="the broker: mqtt:// or mqtts://, user:password@ optional"
    )
    mqtt_version: Literal["3.1.1", "5"] = Field(
        default="3.1.1",
        description="nats-server speaks 3.1.1 only; 5 lets the bridge set its window and session's life",
    )
    mqtt_receive_maximum: int = Field(default=20_000, ge=1, le=65_535, description="MQTT 5: unacknowledged messages")
    mqtt_session_expiry_s: int = Field(
        default=604_800, ge=0, description="MQTT 5: seconds the broker keeps the session without us"
    )
    mqtt_keepalive_s: int = Field(default=30, ge=1, le=65_535, description="seconds of silence before a PINGREQ")
    client_id: str = Field(
        default="telemetry-bridge", min_length=1, description="names the session; fixed, one per running bridge"
    )
    filters: tuple[str, ...] = Field(
        default=("devices/+/telemetry",), min_length=1, description="MQTT topic filters; they must not overlap"
    )
    hub_url: str = Field(default="ws://127.0.0.1:8080/ws", description="the hub's STOMP WebSocket: ws:// or wss://")
    hub_login: str | None = Field(default=None, description="STOMP login")
    hub_passcode: SecretStr | None = Field(default=None, description="STOMP passcode")
    hub_heart_beat_s: float = Field(default=10.0, ge=0, description="seconds between heart-beats, each way; 0: none")
    receipt_timeout_s: float = Field(
        default=30.0, gt=0, description="seconds to wait for a receipt before reconnecting and sending again"
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, description="seconds for one attempt to connect to either side")
    reconnect_max_s: float = Field(default=3.0, gt=0, description="longest pause between attempts, in seconds")
    transaction_messages: int = Field(default=500, ge=1, le=900, description="SENDs in one transaction at most")
    transaction_bytes: int = Field(
        default=512 * _KIB, ge=_KIB, description="bytes of one transaction at most; a larger message goes alone"
    )
    transactions_in_flight: int = Field(default=16, ge=1, le=1000, description="transactions without a receipt at most")
    linger_ms: float = Field(
        default=5.0, ge=0, description="milliseconds that messages wait for company while a transaction is on its way"
    )
    unacked_messages: int = Field(
        default=20_000, ge=1, description="messages held at most, then the broker is not read"
    )
    unacked_bytes: int = Field(
        default=64 * _MIB, ge=_MIB, description="bytes held at most, then the broker is not read"
    )
    message_bytes: int = Field(
        default=_MIB, ge=1, description="larger messages are dropped, counted and acknowledged: the hub takes 1 MiB"
    )
    drain_timeout_s: float = Field(default=5.0, ge=0, description="seconds that a stop waits for outstanding receipts")
    health_host: str = Field(default="127.0.0.1", description="address of /livez, /readyz, /metrics")
    health_port: int = Field(default=8081, ge=0, le=65_535, description="port of those; 0 takes a free one")

    @field_validator("mqtt_url")
    @classmethod
    def _check_mqtt_url(cls, url: str) -> str:
        _endpoint(url, _MQTT_PORTS)
        return url

    @field_validator("hub_url")
    @classmethod
    def _check_hub_url(cls, url: str) -> str:
        if _endpoint(url, _HUB_PORTS).parts.username is not None:
            raise ValueError("credentials go in hub_login and hub_passcode")
        return url

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        levels = []
        for text in filters:
            try:
                levels.append(parse_filter(_without_share(text), FilterLimits(levels=128, wildcards=128)))
            except TopicError as error:
                raise ValueError(f"{text!r}: {error}") from None
        for index, one in enumerate(levels):
            for other in range(index):
                if overlap(one, levels[other]):
                    raise ValueError(
                        f"{filters[other]!r} and {filters[index]!r} overlap: a broker sends what both match twice"
                    )
        return filters

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.transaction_messages > self.unacked_messages:
            raise ValueError("transaction_messages is larger than unacked_messages")
        return self

    @property
    def mqtt(self) -> "Endpoint":
        """The broker's address."""
        return _endpoint(self.mqtt_url, _MQTT_PORTS)

    @property
    def hub(self) -> "Endpoint":
        """The hub's address."""
        return _endpoint(self.hub_url, _HUB_PORTS)


class Endpoint:
    """An address taken apart; `str()` is fit for logs: no password."""

    def __init__(self, parts: SplitResult, port: int) -> None:
        self.parts = parts
        self.host = parts.hostname or ""
        self.port = port
        self.tls = parts.scheme in {"mqtts", "wss"}
        self.path = parts.path or "/"
        self.username = None if parts.username is None else unquote(parts.username)
        self.password = None if parts.password is None else unquote(parts.password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = "" if self.path == "/" else self.path
        return f"{self.parts.scheme}://{host}:{self.port}{path}"


def _endpoint(url: str, ports: dict[str, int]) -> Endpoint:
    parts = urlsplit(url)
    if parts.scheme not in ports or not parts.hostname:
        raise ValueError("must be " + " or ".join(f"{scheme}://host:port" for scheme in ports))
    # .port raises ValueError for what is no port, and says so.
    port = ports[parts.scheme] if parts.port is None else parts.port
    return Endpoint(parts, port)


def _without_share(text: str) -> str:
    if text.startswith(_SHARE + "/"):
        return text.split("/", 2)[-1]
    return text


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether some topic matches both filters, given as levels."""
    for index in range(max(len(one), len(other))):
        a = one[index] if index < len(one) else None
        b = other[index] if index < len(other) else None
        if REST in {a, b}:
            return True
        if a is None or b is None or (a != b and ONE not in {a, b}):
            return False
    return True


def load_settings(
    config_file: Path | None = None, overrides: settings_source.Tree | None = None
) -> settings_source.Loaded[BridgeSettings]:
    """Read the bridge's settings; raises hub.errors.SettingsError."""
    return settings_source.load(BridgeSettings, config_file, overrides)
