"""Who a connection is to the hub."""

from typing import NamedTuple

from device_sim.links.address import Address
from device_sim.links.tls import TlsFiles

HEART_BEAT_MS = 10_000


class StompIdentity(NamedTuple):
    """All that CONNECT says, and where it is said."""

    address: Address
    """WebSocket or plain TCP, by its scheme."""
    login: str | None = None
    passcode: str | None = None
    tls: TlsFiles | None = None
    vhost: str | None = None
    """The virtual host to ask for; None: the name by which the server is called."""
    heart_beat_ms: int = HEART_BEAT_MS
    """What we offer and want; 0: neither side beats."""
