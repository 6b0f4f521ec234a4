"""What the sockets of one hub share, whichever transport they belong to."""

from hub.http.gate import Gate
from hub.http.peers import is_loopback
from hub.settings.limits import Limits
from hub.transports.descriptors import SPARE
from hub.transports.door import Door
from hub.transports.keep_alive import KeepAlive
from hub.transports.read_turns import ReadTurns
from hub.transports.services import TransportCounters


class Sockets:
    """Built once by `hub.app`, in the running loop."""

    def __init__(self, limits: Limits, gate: Gate, counters: TransportCounters) -> None:
        self.gate = gate
        self.turns = ReadTurns()
        self.keep_alive = KeepAlive(limits.ping_s)
        self.door = Door(
            limits.connections + SPARE,
            limits.strangers_per_address,
            lambda address: is_loopback(address) or gate.proxies.trusts(address),
            counters,
        )
