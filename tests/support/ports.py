"""A free port for a server of a test, never one that the tests of another worker may choose at the same moment."""

import os

from hub.processes import ports

WORKERS = 8


def free_port() -> int:
    """Return a free port of this pytest-xdist worker's share (gw0, gw1, …)."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return ports.free_port(ports.SERVER_PORTS[worker % WORKERS :: WORKERS])
