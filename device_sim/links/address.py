"""Where a broker or hub is: a URL of the command line, taken apart once."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from device_sim.errors import BadArgumentError

DEFAULT_PORTS = {"mqtt": 1883, "ws": 80}


@dataclass(frozen=True, slots=True)
class Address:
    """Host, port and who we are there; printed without the password."""

    scheme: str
    host: str
    port: int
    path: str
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_address(url: str, scheme: str, argument: str) -> Address:
    """Take `url` apart; BadArgumentError names `argument` and repeats no password."""
    shape = f"{scheme}://[user:password@]host[:port]" + ("/path" if scheme == "ws" else "")
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[scheme]
    except ValueError as error:
        raise BadArgumentError(argument, f"not a URL of the form {shape}: {error}") from error
    if parts.scheme != scheme or not parts.hostname:
        raise BadArgumentError(argument, f"not a URL of the form {shape}")
    return Address(
        scheme,
        parts.hostname,
        port,
        parts.path if scheme == "ws" else "",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )
