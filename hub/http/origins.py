"""Which pages may use the hub from a browser: those of its own origin, and those of `http.allowed_origins`.

Browsers do not apply the same-origin policy to WebSockets, so the server has to (RFC 6455, section 10.2). A request without
`Origin` is not a page's.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from hub.http.hosts import split_host

_DEFAULT_PORTS = {"http": 80, "https": 443}


class AllowedOrigins:
    """The origins beside the hub's own."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        """Take `scheme://host[:port]` each; raises ValueError for anything else."""
        self._origins = frozenset(parse_origin(origin) for origin in origins)

    def allows(self, origin: str | None, host_header: str | None) -> bool:
        """Return whether a page of `origin` may use a hub that it calls by this `Host`."""
        if origin is None:
            return True
        try:
            scheme, host, port = parse_origin(origin)
        except ValueError:
            return False
        if (scheme, host, port) in self._origins:
            return True
        ours = split_host(host_header or "")
        # TLS may end at a proxy, so the scheme is the page's: it says what a missing port means.
        return ours is not None and (host, port) == (ours[0], ours[1] or _DEFAULT_PORTS[scheme])


def parse_origin(text: str) -> tuple[str, str, int]:
    """Split an origin into scheme, host and port, the scheme's default port where it has none.

    Raises:
        ValueError: it is not `http(s)://host[:port]`.
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    found = split_host(rest)
    if not separator or found is None or scheme not in _DEFAULT_PORTS or urlsplit(text).username is not None:
        raise ValueError("is not an origin: http:// or https://, a host, and a port where it is not the default")
    return scheme, found[0], found[1] or _DEFAULT_PORTS[scheme]
