"""Where a broker or a hub is, and who we are there: a URL taken apart once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_SECURE = frozenset({"mqtts", "wss", "stomps"})
_WEB_SOCKET = frozenset({"ws", "wss"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address; `str()` is fit for logs: no password, and no query, which may be a token."""

    scheme: str
    host: str
    port: int
    path: str
    """Of a WebSocket, with its query; else empty."""
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0].rstrip('/')}"

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme in _SECURE

    @property
    def web_socket(self) -> bool:
        """Whether its protocol goes in WebSocket frames."""
        return self.scheme in _WEB_SOCKET


def parse_endpoint(url: str, ports: Mapping[str, int], web_socket_path: str = "/") -> Endpoint:
    """Take a URL apart; `ports` are the usual ones of the schemes that are allowed.

    Raises:
        ValueError: with the reason, never the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ports or not parts.hostname:
        raise ValueError("must be " + " or ".join(f"{scheme}://host:port" for scheme in ports))
    # .port raises ValueError for what is no port, and says so.
    port = ports[parts.scheme] if parts.port is None else parts.port
    path = ""
    if parts.scheme in _WEB_SOCKET:
        path = (parts.path or web_socket_path) + (f"?{parts.query}" if parts.query else "")
    elif parts.path.strip("/"):
        raise ValueError(f"{parts.scheme}:// has no path")
    return Endpoint(
        parts.scheme,
        parts.hostname,
        port,
        path,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )
