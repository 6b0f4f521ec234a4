"""Opens one TCP connection, with TLS where the address says so, without blocking and without a task.

The addresses of a name are tried in turn. The caller owns the deadline (`cancel`), and the socket from `opened` on.
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable

from device_sim.links.identity import TlsFiles, client_context
from device_sim.links.poller import Watch
from device_sim.links.reactor import Reactor, SocketAddress
from hub.clients.endpoint import Endpoint

UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})


class Dial:
    """One attempt; calls one of `opened` and `failed` once (`failed` maybe within `start`), unless it is cancelled."""

    __slots__ = ("_address", "_failed", "_opened", "_reactor", "_rest", "_sock", "_tls", "_watch")

    def __init__(
        self,
        address: Endpoint,
        tls: TlsFiles | None,
        reactor: Reactor,
        opened: Callable[[socket.socket], None],
        failed: Callable[[str], None],
    ) -> None:
        self._address = address
        self._tls = tls
        self._reactor = reactor
        self._opened = opened
        self._failed = failed
        self._rest: list[SocketAddress] = []
        self._sock: socket.socket | None = None
        self._watch: Watch | None = None

    def start(self) -> None:
        self._rest = list(self._reactor.resolved(self._address))
        self._next("no address")

    def cancel(self) -> None:
        """Give up, and call nobody."""
        self._forget()
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _next(self, problem: str) -> None:
        while self._rest:
            family, kind, protocol, where = self._rest.pop(0)
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            code = sock.connect_ex(where)
            if code in UNDER_WAY:
                self._sock = sock
                self._watch = Watch(sock.fileno(), self._handshake, self._connected)
                self._reactor.poller.set(self._watch, read=False, write=True)
                return
            problem = _sentence(code)
            sock.close()
        self._failed(problem)

    def _connected(self) -> None:
        sock = self._taken()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.cancel()
            self._next(_sentence(code))
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._address.secure:
            self._finish()
            return
        self._forget()
        context = client_context(self._tls or TlsFiles())
        self._sock = context.wrap_socket(sock, server_hostname=self._address.host, do_handshake_on_connect=False)
        self._watch = Watch(self._sock.fileno(), self._handshake, self._handshake)
        self._handshake()

    def _handshake(self) -> None:
        sock, watch = self._taken(), self._watch
        assert isinstance(sock, ssl.SSLSocket) and watch is not None  # noqa: S101, PT018 - the state this runs in
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._reactor.poller.set(watch, read=True, write=False)
        except ssl.SSLWantWriteError:
            self._reactor.poller.set(watch, read=False, write=True)
        except OSError as error:
            self.cancel()
            self._failed(f"TLS: {error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error}")
        else:
            self._finish()

    def _finish(self) -> None:
        sock = self._taken()
        self._forget()
        self._sock = None
        self._opened(sock)

    def _forget(self) -> None:
        if self._watch is not None:
            self._reactor.poller.set(self._watch, read=False, write=False)
            self._watch = None

    def _taken(self) -> socket.socket:
        assert self._sock is not None  # noqa: S101 - the poller calls only while there is a socket
        return self._sock


def _sentence(code: int) -> str:
    return os.strerror(code)
