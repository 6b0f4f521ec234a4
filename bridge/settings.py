"""The table of the bridge's settings: name, default, unit, help. How they are read: hub/settings/source.py.

Read once at start and passed down frozen. docs/reference/bridge-settings.md has a row for each, which a test asserts.
"""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from bridge.down.filters import MAX_FILTERS, check_commands
from bridge.mqtt.filters import check_filters, is_shared
from hub.access.logins import MAX_BRIDGE_NAME_CHARS
from hub.clients.endpoint import Endpoint, parse_endpoint
from hub.settings import source as settings_source
from hub.topics.bridging import DEFAULT_COMMANDS
from hub.topics.names import validate_topic

PREFIX: Final = "TELEMETRY_BRIDGE_"
_MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
# What brokers with MQTT over WebSocket listen on: EMQX, HiveMQ, VerneMQ, NATS; Mosquitto takes any path.
_MQTT_WS_PATH: Final = "/mqtt"
_SESSION_EXPIRY_S: Final = 604_800
# A dead member's share goes to the others only when its session ends.
_SHARED_SESSION_EXPIRY_S: Final = 60
_HUB_PORTS: Final = {"ws": 80, "wss": 443}
_KIB: Final = 1024
_MIB: Final = 1024 * 1024


class BridgeSettings(settings_source.Settings):
    """All settings of `telemetry-bridge run`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_BRIDGE_NAME_CHARS,
        description="what the hub calls this bridge; default: client_id",
    )
    mqtt_url: str = Field(
        default="mqtt://127.0.0.1:1883",
        description="the broker: mqtt://, mqtts://, ws:// or wss://, user:password@ optional",
    )
    mqtt_ca_file: Path | None = Field(default=None, description="CAs that the broker's certificate is checked against")
    mqtt_cert_file: Path | None = Field(default=None, description="our certificate, for brokers that ask for one")
    mqtt_key_file: Path | None = Field(default=None, description="its private key, unless in the same file")
    mqtt_version: Literal["auto", "3.1.1", "5"] = Field(
        default="auto", description="auto: 5, and 3.1.1 where the broker refuses 5, as nats-server does"
    )
    mqtt_status_topic: str | None = Field(
        default=None, description="retained online or offline of this bridge, by will; none: no will"
    )
    mqtt_receive_maximum: int = Field(default=20_000, ge=1, le=65_535, description="MQTT 5: unacknowledged messages")
    mqtt_session_expiry_s: int | None = Field(
        default=None,
        ge=1,
        le=0xFFFFFFFE,
        description="MQTT 5: seconds the broker keeps the session without us; default 7 days, 60 s with $share/",
    )
    mqtt_keepalive_s: int = Field(default=30, ge=1, le=65_535, description="seconds of silence before a PINGREQ")
    client_id: str = Field(
        default="telemetry-bridge",
        min_length=1,
        max_length=MAX_BRIDGE_NAME_CHARS,
        description="names the session; fixed, one per running bridge",
    )
    filters: tuple[str, ...] = Field(
        default=("#",), min_length=1, description="MQTT topic filters; they must not overlap"
    )
    commands: tuple[str, ...] = Field(
        default=DEFAULT_COMMANDS,
        validate_default=True,  # against the filters
        max_length=MAX_FILTERS,
        description="filters of what goes from the hub down to the broker, and never up; none: nothing goes down",
    )
    command_prefetch: int = Field(
        default=20, ge=1, le=1000, description="commands of one filter held at most; the hub keeps or refuses the rest"
    )
    hub_url: str = Field(default="ws://127.0.0.1:8080/ws", description="the hub's STOMP WebSocket: ws:// or wss://")
    hub_login: str | None = Field(default=None, description="STOMP login")
    hub_passcode: SecretStr | None = Field(default=None, description="STOMP passcode")
    hub_heart_beat_s: float = Field(default=10.0, ge=0, description="seconds between heart-beats, each way; 0: none")
    receipt_timeout_s: float = Field(
        default=30.0, gt=0, description="seconds to wait for a receipt before reconnecting and sending again"
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, description="seconds for one attempt to connect to either side")
    reconnect_max_s: float = Field(default=2.0, gt=0, description="longest pause between attempts, in seconds")
    transaction_messages: int = Field(default=500, ge=1, le=900, description="SENDs in one transaction at most")
    transaction_bytes: int = Field(
        default=512 * _KIB, ge=_KIB, description="bytes of one transaction at most; a larger message goes alone"
    )
    transactions_in_flight: int = Field(default=16, ge=1, le=1000, description="transactions without a receipt at most")
    # Measured at 5,000 messages a second, against 5 ms: bridge 16 µs a message for 27, hub 30 for 39. Each transaction wakes
    # both and their threads, which costs more than the messages of 5 ms do.
    linger_ms: float = Field(
        default=20.0, ge=0, description="milliseconds that messages wait for company while a transaction is on its way"
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
    qos0_messages: int = Field(
        default=5_000, ge=0, description="QoS 0 messages held at most; newer ones are dropped and counted"
    )
    drain_timeout_s: float = Field(default=5.0, ge=0, description="seconds that a stop waits for outstanding receipts")
    health_host: str = Field(default="127.0.0.1", description="address of /livez, /readyz, /metrics")
    health_port: int = Field(default=8081, ge=0, le=65_535, description="port of those; 0 takes a free one")

    @field_validator("mqtt_url")
    @classmethod
    def _check_mqtt_url(cls, url: str) -> str:
        parse_endpoint(url, _MQTT_PORTS)
        return url

    @field_validator("mqtt_status_topic")
    @classmethod
    def _check_status_topic(cls, topic: str | None) -> str | None:
        if topic is not None:
            validate_topic(topic)
        return topic

    @field_validator("hub_url")
    @classmethod
    def _check_hub_url(cls, url: str) -> str:
        if parse_endpoint(url, _HUB_PORTS).username is not None:
            raise ValueError("credentials go in hub_login and hub_passcode")
        return url

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        check_filters(filters)
        return filters

    @field_validator("commands")
    @classmethod
    def _check_commands(cls, commands: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_commands(commands, info.data.get("filters", ()))
        return commands

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.transaction_messages > self.unacked_messages:
            raise ValueError("transaction_messages is larger than unacked_messages")
        files = (self.mqtt_ca_file, self.mqtt_cert_file, self.mqtt_key_file)
        if any(files) and not self.mqtt.secure:
            raise ValueError("mqtt_ca_file, mqtt_cert_file and mqtt_key_file need an mqtt_url with mqtts:// or wss://")
        if self.mqtt_key_file and not self.mqtt_cert_file:
            raise ValueError("mqtt_key_file needs mqtt_cert_file")
        return self

    @property
    def mqtt(self) -> Endpoint:
        """The broker's address."""
        return parse_endpoint(self.mqtt_url, _MQTT_PORTS, _MQTT_WS_PATH)

    @property
    def hub(self) -> Endpoint:
        """The hub's address."""
        return parse_endpoint(self.hub_url, _HUB_PORTS)

    @property
    def bridge_name(self) -> str:
        """What the hub calls this bridge."""
        return self.name or self.client_id

    @property
    def shared(self) -> bool:
        """Whether a filter is shared with other bridges."""
        return any(is_shared(text) for text in self.filters)

    @property
    def session_expiry_s(self) -> int:
        """Seconds for which the broker keeps the session (MQTT 5)."""
        if self.mqtt_session_expiry_s is not None:
            return self.mqtt_session_expiry_s
        return _SHARED_SESSION_EXPIRY_S if self.shared else _SESSION_EXPIRY_S


def load_settings(
    config_file: Path | None = None, overrides: settings_source.Tree | None = None
) -> settings_source.Loaded[BridgeSettings]:
    """Read the bridge's settings; raises hub.errors.SettingsError."""
    return settings_source.load(BridgeSettings, config_file, overrides)
