"""Who a connection is to the broker."""

from typing import NamedTuple

from device_sim.links.address import Address
from device_sim.links.tls import TlsFiles

KEEPALIVE_S = 30


class MqttIdentity(NamedTuple):
    """What every CONNECT of it says, and where it is said. A NamedTuple: a fleet has thousands."""

    address: Address
    client_id: str
    username: str | None = None
    password: str | None = None
    version: int = 4
    """4 is MQTT 3.1.1, 5 is MQTT 5: the protocol level of CONNECT."""
    keepalive_s: int = KEEPALIVE_S
    tls: TlsFiles | None = None
