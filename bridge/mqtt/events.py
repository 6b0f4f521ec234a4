"""What the broker's side tells, always on the event loop: the client its link, and the link its owner. None may raise."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bridge.mqtt.publishes import Message


class Granted(NamedTuple):
    """The broker's answer to one filter."""

    qos: int
    refusal: str  # empty: granted


class ClientEvents(Protocol):
    """What paho's callbacks become."""

    def accepted(self, session_present: bool) -> None:
        """CONNACK: the broker takes us."""

    def refused(self, reason: str, *, version: bool) -> None:
        """CONNACK with a failure; `version` when it does not speak ours."""

    def subscribed(self, granted: Sequence[Granted]) -> None:
        """SUBACK, for each filter in order."""

    def ended(self, reason: str) -> None:
        """The connection is over."""

    def acknowledged(self, mid: int, refusal: str | None) -> bool:
        """PUBACK; says whether it was for something that `publish_command` sent, else paho looks for it."""


class MqttEvents(Protocol):
    """What becomes of the session."""

    def mqtt_connected(self) -> None:
        """Accepted by the broker: a new epoch begins. Before any message of the new connection."""

    def mqtt_messages(self, burst: list[Message]) -> None:
        """What one read brought, in order."""

    def mqtt_too_large(self, topic: bytes, size: int) -> None:
        """A message above the limit; it comes in the next burst with an empty topic, to be acknowledged only."""

    def mqtt_lost(self, reason: str) -> None:
        """The connection is gone: the epoch ends."""

    def mqtt_published(self, mid: int, refusal: str | None) -> bool:
        """The broker has taken, or refused, what has this packet id; says whether it was a command."""
