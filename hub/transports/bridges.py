"""Connections of bridges: how one says that it is one, and the one reserved topic that it may publish on.

A CONNECT with `telemetry-bridge:<name>` comes from a bridge: what it sends was MQTT, and it may report its state on
`/topic/$SYS/bridge/<name>`, its own and no other. It is no login and gives no other right.
"""

from collections.abc import Mapping
from typing import Final

from hub.stomp.errors import SessionError
from hub.telemetry.readings_topic import level

HEADER: Final = "telemetry-bridge"
MAX_NAME_CHARS: Final = 200


def bridge_name(connect_headers: Mapping[str, str]) -> str | None:
    """Return the name of the bridge that connects; None for any other client.

    Raises:
        SessionError: a name that is empty or too long.
    """
    name = connect_headers.get(HEADER)
    if name is not None and not 0 < len(name) <= MAX_NAME_CHARS:
        raise SessionError("Bad header", f"{HEADER} has 1 to {MAX_NAME_CHARS} characters")
    return name


def status_destination(name: str) -> str:
    """Return where a bridge reports its state; the name is always one level."""
    return f"/topic/$SYS/bridge/{level(name)}"
