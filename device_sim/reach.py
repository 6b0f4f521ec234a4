"""Whether a peer is there at all, before anything is sent: what does not answer is named, with what to do.

Once it runs, a fleet tries again for as long as it is wanted. Before that, `find_peers` waits for whoever shall listen: a
run that has an end only for a moment, one without end until somebody stops it. A server that is to be measured is asked
for a whole session (`check_stomp`).
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from device_sim.errors import BadArgumentError
from device_sim.links.identity import StompIdentity, TlsFiles, client_context
from device_sim.links.stomp_client import StompClient
from device_sim.programs import on_signal, tell
from hub.clients.endpoint import Endpoint

ANSWER_S: Final = 5.0
"""How long one step, a connection or an answer, may take."""
AGAIN_S: Final = 0.25
PATIENCE_S: Final = 10.0
"""How long a run that has an end waits for its peers: they may have been started in the same breath."""
READ_BYTES: Final = 65_536
START: Final = "start it (`telemetry-hub serve`) or name another"
LOG_IN: Final = "who logs in stands in the URL (user:password@), and where in --vhost (RabbitMQ's is /)"


class Peer(NamedTuple):
    """Somebody who is to listen, and the argument that says where."""

    address: Endpoint
    argument: str

    @property
    def advice(self) -> str:
        what = "a broker" if self.address.scheme in {"mqtt", "mqtts"} else "a hub (`telemetry-hub serve`)"
        return f"start {what} there, or say with {self.argument} where it is"


async def find_peers(peers: Iterable[Peer], patience_s: float | None) -> bool:
    """Wait until somebody listens at each address; return False when a signal came first.

    The first time nobody does, that is told. After `patience_s` (None: never) it is a BadArgumentError.
    """
    stopped = asyncio.Event()
    on_signal(stopped.set)
    loop = asyncio.get_running_loop()
    end = None if patience_s is None else loop.time() + patience_s
    for peer in dict.fromkeys(peers):
        told = False
        while (problem := await _problem(peer.address)) and not stopped.is_set():
            if end is not None and loop.time() >= end:
                raise BadArgumentError(peer.argument, f"cannot reach {peer.address}: {problem}; {peer.advice}")
            if not told:
                tell(f"Waiting for {peer.address} ({problem}); {peer.advice}. Ctrl-C stops.")
                told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), AGAIN_S)
    return not stopped.is_set()


async def _problem(address: Endpoint) -> str:
    """Return why nobody can be reached there, empty when somebody can."""
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        return _why(error)
    writer.close()
    return ""


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
    # asyncio puts an address and all attempts into one text; what a person needs is the system's word.
    return (os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror) or str(error)
