"""A TCP port of this machine that was free a moment ago."""

import socket


def free_port() -> int:
    """Give a port; another program may take it before the caller does, which no test has met yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
