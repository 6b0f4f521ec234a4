"""Who a connection is, and to whom: all that its first packet or frame says. NamedTuples, as a fleet has thousands."""

from typing import NamedTuple

from device_sim.links.tls import TlsFiles
from hub.clients.endpoint import Endpoint
from hub.clients.mqtt_client import MqttLogin

HEART_BEAT_MS = 10_000


class MqttIdentity(NamedTuple):
    """A client of a broker."""

    address: Endpoint
    login: MqttLogin
    tls: TlsFiles | None = None


class StompIdentity(NamedTuple):
    """A client of a hub."""

    address: Endpoint
    """WebSocket or plain TCP, by its scheme."""
    login: str | None = None
    passcode: str | None = None
    tls: TlsFiles | None = None
    vhost: str | None = None
    """The virtual host to ask for; None: the name by which the server is called."""
    heart_beat_ms: int = HEART_BEAT_MS
    """What we offer and want; 0: neither side beats."""
