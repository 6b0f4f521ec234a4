"""Before a load it is known whether its server is there and lets us in; if not, the sentence says what to do."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from device_sim.errors import BadArgumentError
from device_sim.links.identity import TlsFiles, parse_address
from device_sim.reach import check_broker, check_stomp
from hub.clients.endpoint import Endpoint
from hub.websocket.frames import TEXT, frame_header
from tests.support.ports import free_port
from tests.unit.hub.websocket.test_client import answer


@contextmanager
def server(*answers: bytes) -> Iterator[int]:
    """Yield the port of a server that upgrades to a WebSocket and then gives an answer to each thing it reads."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(answer(self.request.recv(4_096)))
            for one in answers:
                self.request.recv(4_096)
                self.request.sendall(frame_header(TEXT, len(one)) + one)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


def at(port: int) -> Endpoint:
    return parse_address(f"ws://me:secret@127.0.0.1:{port}/ws", "ws", "--against")


def test_a_server_that_lets_us_in_is_there() -> None:
    with server(b"CONNECTED\nversion:1.2\n\n\0\n") as port:
        check_stomp(at(port), TlsFiles(), "/")


def test_where_nobody_listens_is_told_with_what_to_do() -> None:
    with pytest.raises(BadArgumentError, match=r"--against: cannot reach ws://.*refused; start it") as caught:
        check_stomp(at(free_port()), TlsFiles(), None)
    assert "secret" not in str(caught.value)

    broker = parse_address(f"mqtt://127.0.0.1:{free_port()}", "mqtt", "--mqtt-url")
    with pytest.raises(BadArgumentError, match=r"--mqtt-url: cannot reach mqtt://.*refused; start the broker"):
        check_broker(broker, TlsFiles())


def test_a_server_that_refuses_the_login_is_told_with_its_own_words() -> None:
    with (
        server(b"ERROR\nmessage:Bad CONNECT\n\nAccess refused\0") as port,
        pytest.raises(BadArgumentError, match=r"lets nobody in: ERROR: Bad CONNECT \(Access refused\); .*--vhost"),
    ):
        check_stomp(at(port), TlsFiles(), None)


def test_a_server_that_hangs_up_is_told() -> None:
    with server() as port, pytest.raises(BadArgumentError, match=r"closed the connection|reset"):
        check_stomp(at(port), TlsFiles(), None)
