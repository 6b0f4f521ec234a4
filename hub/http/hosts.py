"""Which `Host` headers are ours. A defence against DNS rebinding, for HTTP and for the WebSocket handshake alike.

A web page on evil.example can make its name resolve to 127.0.0.1; the browser then takes the hub for that page's own
server, and a same-origin check agrees (security reference, section 2). So only names that the operator gave, and loopback
literals, are answered. The port is not compared: proxies and port forwards change it.
"""

import ipaddress
import json
import re
from collections.abc import Iterable

# host [":" port]; an IPv6 literal stands in brackets (RFC 9110 section 7.2).
_HOST = re.compile(
    r"(?P<host>\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_MOST_SHOWN_CHARS = 100


class AllowedHosts:
    """The hub's own names, beside `localhost`, 127.0.0.0/8 and [::1], which are always allowed."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Set host names or addresses, without port; an IPv6 address without brackets."""
        self._names = frozenset(_canonical(name) for name in names)

    def allows(self, host_header: str | None) -> bool:
        """Return whether a request with this `Host` header may be answered; None and anything malformed may not.

        Take it from `request.headers.get("Host")`: Tornado's `request.host` makes up 127.0.0.1 where there is none.
        """
        found = split_host(host_header or "")
        if found is None:
            return False
        name = found[0]
        return name in self._names or name == "localhost" or _is_loopback(name)


def split_host(text: str) -> tuple[str, int | None] | None:
    """Split `host[:port]` into the canonical name and the port; None where it is malformed."""
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    return _canonical(match["v6"] or match["name"]), int(match["port"]) if match["port"] else None


def shown(value: str | None) -> str:
    """Return a header's value as an answer may repeat it: quoted, escaped, not long."""
    return "nothing" if value is None else json.dumps(value[:_MOST_SHOWN_CHARS])


def _canonical(name: str) -> str:
    name = name.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
