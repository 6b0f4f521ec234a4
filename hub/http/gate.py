"""What every request has to pass, HTTP and WebSocket alike: the hub's own name, and a page that may use it.

Built once from the settings; `peers` says whose request it is. Refusals name what was asked and the setting that allows
it. A request for somebody else's authority gets a 421 (RFC 9110, section 15.5.20).
"""

from dataclasses import dataclass, field

from tornado.httputil import HTTPServerRequest

from hub.http.hosts import AllowedHosts, shown
from hub.http.origins import AllowedOrigins
from hub.http.peers import Peer, TrustedProxies


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str
    """The word under which it is counted."""
    text: str


@dataclass(frozen=True, slots=True)
class Gate:
    """Names, origins and proxies of one hub."""

    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    origins: AllowedOrigins = field(default_factory=AllowedOrigins)
    proxies: TrustedProxies = field(default_factory=TrustedProxies)

    def own_name(self, request: HTTPServerRequest) -> bool:
        """Whether the request calls the hub by one of its names."""
        return self.hosts.allows(self._host(request))

    def refusal(self, request: HTTPServerRequest) -> Refusal | None:
        """Return why a request may not be answered, None where it may."""
        host = self._host(request)
        if not self.hosts.allows(host):
            text = f"The request is for the host {shown(host)}, which is not one of the hub's: see http.allowed_hosts."
            return Refusal(421, "host", text)
        origin = request.headers.get("Origin")
        if not self.origins.allows(origin, host):
            text = f"A page of {shown(origin)} may not use the hub, which it calls {shown(host)}: see http.allowed_origins."
            return Refusal(403, "origin", text)
        return None

    def client(self, request: HTTPServerRequest) -> Peer:
        """Return whose request it is."""
        return self.proxies.client(_socket_address(request), request.headers)

    def _host(self, request: HTTPServerRequest) -> str | None:
        return self.proxies.host(_socket_address(request), request.headers)


def _socket_address(request: HTTPServerRequest) -> str:
    # Not `request.remote_ip`, which Tornado takes from headers where it is told to.
    connection = request.connection
    address = getattr(getattr(connection, "context", None), "address", None)
    return str(address[0]) if isinstance(address, tuple) else ""
