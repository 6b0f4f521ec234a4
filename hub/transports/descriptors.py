"""How many connections the process can hold: each needs a descriptor, and the hub needs some itself.

Where the soft limit of open files is too low for `limits.connections` and the hard one allows more, it is raised.
"""

import contextlib
import sys

from hub.errors import HubError

# Of our own: listeners, the loop's, log, some 20 to the database, the spool's files, child processes being started.
RESERVED = 96
# Above the connections: requests for /metrics and /readyz, pages, and clients that are told there is no room.
SPARE = 64
_LEAST = 16


def fitting_connections(wanted: int) -> int:
    """Return how many connections fit, at most `wanted`.

    Raises:
        HubError: hardly any.
    """
    if sys.platform == "win32":  # it has no such limit
        return wanted
    import resource

    need = wanted + SPARE + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft != infinite and soft < need:
        soft = need if hard == infinite else min(need, hard)
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it; what is in force counts
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == infinite:
        return wanted
    fitting = min(wanted, soft - SPARE - RESERVED)
    if fitting < min(wanted, _LEAST):
        raise HubError(
            f"at most {soft} files may be open, which leaves no room for connections; raise the limit (ulimit -n, "
            f"LimitNOFILE=) to {need} for limits.connections = {wanted}"
        )
    return fitting
