"""Which `Host` headers are ours. A defence against DNS rebinding, for HTTP and for the WebSocket handshake alike.

A web page on evil.example can make its name resolve to 127.0.0.1; the browser then takes the hub for that page's own
server, and Tornado's same-origin check agrees (security reference, section 2). So only names the operator gave, and
loopback literals, are answered. The port is not compared: proxies and port forwards change it.
"""

import ipaddress
import re
from collections.abc import Iterable

# host [":" port]; an IPv6 literal stands in brackets (RFC 9110 section 7.2).
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?", re.ASCII)


class AllowedHosts:
    """The hub's own names, beside `localhost`, 127.0.0.0/8 and [::1], which are always allowed."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take host names or addresses, without port; an IPv6 address without brackets."""
        self._names = frozenset(_canonical(name) for name in names)

    def allows(self, host_header: str | None) -> bool:
        """Tell whether a request with this `Host` header may be answered; None and anything malformed may not.

        Take it from `request.headers.get("Host")`: Tornado's `request.host` makes up 127.0.0.1 where there is none.
        """
        match = _HOST.fullmatch(host_header or "")
        if match is None:
            return False
        name = _canonical(match["v6"] or match["name"])
        return name in self._names or name == "localhost" or _is_loopback(name)


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
