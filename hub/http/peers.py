"""Who is at the other end: a socket's own address, or the address that trusted proxies report.

Loopback is a right (no login where no users are set), so it takes two things: the socket comes from this machine, and
nobody forwards for somebody else. A proxy on the same machine would make everybody local otherwise.

Addresses in forwarding headers count only as far as the proxies that wrote them are trusted (`http.trusted_proxies`):
from the right, the first hop that is no trusted proxy is the client. What stands further left the client may have
invented.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from tornado.httputil import HTTPHeaders

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDED_BY = (
    "Forwarded",
    "Via",
    "X-Real-Ip",
    "X-Client-Ip",
    "X-Cluster-Client-Ip",
    "True-Client-Ip",
    "Cf-Connecting-Ip",
    "Fastly-Client-Ip",
)
_FORWARDED_PREFIX = "X-Forwarded"  # -For, -Host, -Proto, -Port, -Server, …
# Those that name one address, the client's. With the lists, no one of them may contradict that a client is local.
_SINGLE = ("X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip")
_FOR = re.compile(r"(?:^|[;,])\s*for\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<token>[^;,\s]*))", re.IGNORECASE)
_V4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+", re.ASCII)
_V6_IN_BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Peer:
    """A client, as far as it can be known."""

    address: str
    loopback: bool
    """Whether it certainly is on this machine."""


class TrustedProxies:
    """The proxies that are trusted to name their clients."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take addresses or networks (`10.0.0.0/8`); raises ValueError for anything else."""
        self._networks = tuple(parse_network(network) for network in networks)

    def trusts(self, address: str) -> bool:
        """Whether a socket with this peer address is a trusted proxy's."""
        ip = parse_address(address)
        return ip is not None and self._contain(ip)

    def client(self, socket_address: str, headers: HTTPHeaders) -> Peer:
        """Return whose request this is."""
        if not is_forwarded(headers):
            return Peer(socket_address, is_loopback(socket_address))
        if not self.trusts(socket_address):
            return Peer(socket_address, loopback=False)
        hops = _hops(headers)
        client = socket_address
        for hop in reversed(hops):
            ip = parse_address(hop)
            if ip is None:
                return Peer(client, loopback=False)  # "unknown", or hidden on purpose
            client = str(ip)
            if not self._contain(ip):
                break
        named = (*hops, *(headers[name] for name in _SINGLE if name in headers))
        return Peer(client, bool(named) and all(is_loopback(address) for address in named))

    def host(self, socket_address: str, headers: HTTPHeaders) -> str | None:
        """Return the name by which the client called the hub."""
        forwarded = headers.get("X-Forwarded-Host")
        if forwarded is not None and self.trusts(socket_address):
            return forwarded.rpartition(",")[2].strip()
        return headers.get("Host")

    def _contain(self, ip: Address) -> bool:
        return any(ip in network for network in self._networks)


def is_forwarded(headers: HTTPHeaders) -> bool:
    """Whether somebody sends this request for somebody else."""
    return any(name in headers for name in _FORWARDED_BY) or any(name.startswith(_FORWARDED_PREFIX) for name in headers)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own; a Unix socket's empty one is."""
    if not address:
        return True
    ip = parse_address(address)
    return ip is not None and ip.is_loopback


def parse_address(text: str) -> Address | None:
    """Read an address as sockets and proxies write it: with a port, in brackets, with a zone, IPv4 within IPv6."""
    text = text.strip()
    if (match := _V4_WITH_PORT.fullmatch(text) or _V6_IN_BRACKETS.fullmatch(text)) is not None:
        text = match[1]
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def parse_network(text: str) -> Network:
    """Read an address or a network; raises ValueError."""
    return ipaddress.ip_network(text.strip(), strict=False)


def _hops(headers: HTTPHeaders) -> list[str]:
    """Return the addresses on the way, the client's first."""
    if "X-Forwarded-For" in headers:
        return [hop.strip() for hop in headers["X-Forwarded-For"].split(",")]
    return [match["quoted"] or match["token"] or "" for match in _FOR.finditer(headers.get("Forwarded", ""))]
