"""Where a broker or hub is: a URL of the command line, taken apart once."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from device_sim.errors import BadArgumentError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "stomp": 61613, "stomps": 61614}
SECURE = frozenset({"mqtts", "wss", "stomps"})
FAMILIES = {
    "mqtt": ("mqtt", "mqtts"),
    "ws": ("ws", "wss"),
    "stomp": ("stomp", "stomps"),
    "hub": ("ws", "wss", "stomp", "stomps"),
}
"""What may stand where one of these is asked for; `hub` is a hub by WebSocket or plain TCP."""


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

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme in SECURE

    @property
    def websocket(self) -> bool:
        return self.scheme in FAMILIES["ws"]


def parse_address(url: str, family: str, argument: str) -> Address:
    """Take `url` apart; its scheme is one of the family's. BadArgumentError names `argument` and repeats no password."""
    schemes = FAMILIES[family]
    shape = f"{' or '.join(schemes)}://[user:password@]host[:port]" + ("/path" if "ws" in schemes else "")
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise BadArgumentError(argument, f"not a URL of the form {shape}: {error}") from error
    if parts.scheme not in schemes or not parts.hostname:
        raise BadArgumentError(argument, f"not a URL of the form {shape}")
    return Address(
        parts.scheme,
        parts.hostname,
        port,
        parts.path if parts.scheme in FAMILIES["ws"] else "",
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )
