"""What the sockets of one hub share, whichever transport they belong to."""

from hub.settings.limits import Limits
from hub.transports.keep_alive import KeepAlive
from hub.transports.read_turns import ReadTurns


class Sockets:
    """Built once by `hub.app`."""

    def __init__(self, limits: Limits) -> None:
        self.turns = ReadTurns()
        self.keep_alive = KeepAlive(limits.ping_s)
