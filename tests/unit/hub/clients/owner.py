"""An owner of an MQTT client that writes down what it is told."""

from collections.abc import Sequence
from typing import Any

from hub.clients.mqtt_client import Accepted, Granted
from hub.clients.mqtt_parser import Puback, Publish


class Owner:
    """Implements `ClientOwner`."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def accepted(self, connack: Accepted) -> None:
        self.told.append(connack)

    def refused(self, reason: str, *, version: bool) -> None:
        self.told.append(("refused", reason, version))

    def subscribed(self, granted: Sequence[Granted]) -> None:
        self.told.append(list(granted))

    def messages(self, burst: list[Publish]) -> None:
        self.told.append(burst)

    def too_large(self, topic: bytes, size: int) -> None:
        self.told.append((topic, size))

    def pubacks(self, pubacks: list[Puback]) -> None:
        self.told.append(pubacks)

    def lost(self, problem: str) -> None:
        self.told.append(("lost", problem))

    def wait_to_write(self, *, wanted: bool) -> None:
        self.told.append("write" if wanted else "written")

    def socket_closing(self) -> None:
        self.told.append("closing")
