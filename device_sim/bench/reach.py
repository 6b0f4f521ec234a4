"""Whether a server that is to be measured answers at all: one session with it, before any load.

A fleet tries again for as long as it runs, which is right for a fleet. Somebody who waits for a table is told at once what
does not answer, where, and what to do.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

from device_sim.errors import BadArgumentError
from device_sim.links.identity import StompIdentity
from device_sim.links.stomp_client import StompClient
from device_sim.links.tls import TlsFiles, client_context
from hub.clients.endpoint import Endpoint

ANSWER_S: Final = 5.0
"""How long one step, a connection or an answer, may take."""
READ_BYTES: Final = 65_536
START: Final = "start it (`telemetry-hub serve`) or name another"
LOG_IN: Final = "who logs in stands in the URL (user:password@), and where in --vhost (RabbitMQ's is /)"


def check_stomp(address: Endpoint, tls: TlsFiles, vhost: str | None) -> None:
    """Open and close a STOMP session; BadArgumentError names --against."""
    with _connected(address, tls, "--against", START) as sock:
        client = StompClient(StompIdentity(address, address.username, address.password, tls, vhost))
        waiting = client.opening()
        while not client.connected:
            try:
                sock.sendall(waiting)
                data = sock.recv(READ_BYTES)
            except OSError as error:
                raise BadArgumentError("--against", f"{address} does not speak STOMP with us: {_why(error)}") from error
            problem = client.receive(data, time.monotonic()).problem if data else "closed the connection"
            if problem:
                raise BadArgumentError("--against", f"{address} lets nobody in: {problem}; {LOG_IN}")
            waiting = b"".join(client.answers)
            client.answers.clear()
        with contextlib.suppress(OSError):
            sock.sendall(client.disconnect())


def check_broker(address: Endpoint, tls: TlsFiles) -> None:
    """Open and close a connection; BadArgumentError names --mqtt-url."""
    with _connected(address, tls, "--mqtt-url", "start the broker or name another"):
        pass


@contextlib.contextmanager
def _connected(address: Endpoint, tls: TlsFiles, argument: str, advice: str) -> Iterator[socket.socket]:
    try:
        sock = socket.create_connection((address.host, address.port), ANSWER_S)
    except OSError as error:
        raise BadArgumentError(argument, f"cannot reach {address}: {_why(error)}; {advice}") from error
    with sock:
        if not address.secure:
            yield sock
            return
        try:
            secured = client_context(tls).wrap_socket(sock, server_hostname=address.host)
        except OSError as error:
            raise BadArgumentError(argument, f"{address} does not speak TLS with us: {error}") from error
        with secured:
            yield secured


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_S:g} s"
    return error.strerror or str(error)
