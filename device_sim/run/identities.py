"""Who each device and dashboard is to its peer: address, client id, credentials, by its class."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from device_sim.links.dashboard import Appetite
from device_sim.links.devices import Identity
from device_sim.links.identity import MqttIdentity, StompIdentity, TlsFiles
from device_sim.scenario.model import Credentials, DashboardClass, Scenario
from device_sim.schedule.roster import Entry, roster
from hub.clients.endpoint import Endpoint
from hub.clients.mqtt_client import MqttLogin

SAFE_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class Targets:
    """Where messages go and dashboards look."""

    mqtt: Endpoint
    hub: Endpoint
    """The hub's WebSocket."""
    stomp: Endpoint
    """The hub's plain TCP port."""
    tls: TlsFiles = field(default_factory=TlsFiles)
    vhost: str | None = None
    """The STOMP virtual host, where it is another than the host's name."""


def device_identities(scenario: Scenario, targets: Targets, share: tuple[int, int]) -> dict[int, Identity]:
    """Return the identities of a share's devices by their numbers."""
    part, parts = share
    return {entry.number: _identity(entry, targets) for entry in roster(scenario)[part::parts]}


def dashboard_identities(
    dashboards: tuple[DashboardClass, ...], targets: Targets, share: tuple[int, int]
) -> Iterator[tuple[DashboardClass, StompIdentity, Appetite]]:
    """Yield the dashboards of a share, each with who it is and how it reads."""
    part, parts = share
    number = 0
    for dashboard in dashboards:
        for _ in range(dashboard.count):
            if number % parts == part:
                identity = _stomp(dashboard.link, dashboard.credentials, dashboard.name, targets)
                yield dashboard, identity, _appetite(dashboard)
            number += 1


def _identity(entry: Entry, targets: Targets) -> Identity:
    device_class = entry.device_class
    if device_class.link in {"stomp-ws", "stomp-tcp"}:
        return _stomp(device_class.link, device_class.credentials, entry.id, targets)
    username, password = _login(device_class.credentials, entry.id, targets.mqtt)
    login = MqttLogin(
        client_id(entry),
        username,
        password,
        mqtt5=device_class.link == "mqtt5",
        keepalive_s=device_class.keep_alive_s,
    )
    return MqttIdentity(targets.mqtt, login, targets.tls)


def client_id(entry: Entry) -> str:
    """Return the device's id where every broker takes it, else one by its number: NATS refuses spaces, and a Zigbee
    device may be called `living room`.
    """
    return entry.id if SAFE_CLIENT_ID.fullmatch(entry.id) else f"{entry.device_class.name}-{entry.number}"


def _stomp(link: str, credentials: Credentials | None, name: str, targets: Targets) -> StompIdentity:
    address = targets.hub if link == "stomp-ws" else targets.stomp
    login, passcode = _login(credentials, name, address)
    return StompIdentity(address, login, passcode, targets.tls, targets.vhost)


def _login(credentials: Credentials | None, name: str, address: Endpoint) -> tuple[str | None, str | None]:
    """Return the class's credentials, filled in; without them those of the URL."""
    if credentials is None:
        return address.username, address.password
    return credentials.username.replace("{device}", name), credentials.password.replace("{device}", name)


def _appetite(dashboard: DashboardClass) -> Appetite:
    headers: list[tuple[str, str]] = []
    if dashboard.max_rate is not None:
        headers.append(("max-rate", f"{dashboard.max_rate:g}"))
    if dashboard.on_slow is not None:
        headers.append(("on-slow", dashboard.on_slow))
    return Appetite(dashboard.destinations, dashboard.reads, dashboard.bytes_per_s, tuple(headers))
