"""A free TCP port on loopback for a server that starts in a moment, or goes away and comes back.

What holds: the ports lie below those that systems give to outgoing connections (Linux 32768-60999, RFC 6335 section 6
49152-65535). A client's connection never takes one between the choice and the server's start, nor while the server is
down; and a client that dials a server that is down cannot get the very port that it dials, which would connect it
to itself (RFC 9293 section 3.5, simultaneous open). One process never returns a port twice.
"""

import contextlib
import random
import socket
from collections.abc import Sequence
from typing import Final

from hub.errors import HubError

HOST: Final = "127.0.0.1"
SERVER_PORTS: Final = range(20_000, 32_000)
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Return whether nobody listens there."""
    with contextlib.suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


def free_port(among: Sequence[int] = SERVER_PORTS) -> int:
    """Return one of these ports that nobody listens on, another one each time; HubError when there is none."""
    # Random, so that two processes that look at the same moment seldom pick the same.
    for port in random.sample(among, len(among)):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise HubError(f"none of the {len(among)} ports from {among[0]} to {among[-1]} on {HOST} is free")
