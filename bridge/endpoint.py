"""The address of a broker or a hub, from its URL."""

from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit


class Endpoint:
    """An address taken apart; `str()` is fit for logs: no password."""

    def __init__(self, parts: SplitResult, port: int, path: str) -> None:
        self.parts = parts
        self.host = parts.hostname or ""
        self.port = port
        self.tls = parts.scheme in {"mqtts", "wss"}
        self.web_socket = parts.scheme in {"ws", "wss"}
        self.path = (parts.path or path) + (f"?{parts.query}" if parts.query else "")
        self.username = None if parts.username is None else unquote(parts.username)
        self.password = None if parts.password is None else unquote(parts.password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        # Not the query: it may be a token.
        return f"{self.parts.scheme}://{host}:{self.port}{self.parts.path.rstrip('/')}"


def endpoint(url: str, ports: Mapping[str, int], path: str = "/") -> Endpoint:
    """Take a URL apart; `ports` are the usual ones of the schemes that are allowed, `path` is the usual one of WebSockets.

    Raises:
        ValueError: with the reason, never the URL, which may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ports or not parts.hostname:
        raise ValueError("must be " + " or ".join(f"{scheme}://host:port" for scheme in ports))
    # .port raises ValueError for what is no port, and says so.
    port = ports[parts.scheme] if parts.port is None else parts.port
    if parts.path.strip("/") and "ws" not in parts.scheme:
        raise ValueError(f"{parts.scheme}:// has no path")
    return Endpoint(parts, port, path)
