"""How a connection ends: the last frame arrives, whatever the peer was doing, and the close code says why."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.support.hub import RunningHub
from tests.support.postgres import TestServer
from tests.support.raw_stomp import RawStomp, TcpOctets, WebSocketOctets, client_frame, ended, tcp
from tests.support.waiting import wait_for

Dial = Callable[[], RawStomp]
BIG = 256 * 1024


def behind(hub: RunningHub, dial: Dial, count: int = 30) -> RawStomp:
    """Return a subscriber that has read nothing while `count` large messages came: its socket is full."""
    client = dial()
    client.connect()
    client.send("SUBSCRIBE\nid:s\ndestination:/topic/flood\nreceipt:s\n\n^@")
    client.expect("RECEIPT", receipt_id="s")
    with tcp(hub.stomp_port) as publisher:
        publisher.connect()
        for number in range(count):
            publisher.send(f"SEND\ndestination:/topic/flood\nnumber:{number}\n\n" + "x" * BIG + "^@")
        publisher.round_trip()
    assert 0 < hub.look(lambda app: max(connection.waiting_bytes for connection in app.services.connections))
    return client


def last_frames(client: RawStomp) -> list[str]:
    """Read to the end; return the commands that came, each run of the same once."""
    commands: list[str] = []
    while (frame := client.maybe_frame()) is not None:
        if not commands or commands[-1] != frame.command:
            commands.append(frame.command)
    return commands


def test_a_peer_that_is_behind_still_gets_the_error(hub: RunningHub, dial: Dial) -> None:
    client = behind(hub, dial)
    client.send("ACK\nid:none\nreceipt:r\n\n^@")
    wait_for(lambda: hub.errors("Unknown ack id"))
    assert ["MESSAGE", "ERROR"] == last_frames(client)


def test_a_peer_that_is_behind_still_gets_the_receipt_of_its_disconnect(hub: RunningHub, dial: Dial) -> None:
    client = behind(hub, dial)
    client.send("DISCONNECT\nreceipt:bye\n\n^@")
    assert ["MESSAGE", "RECEIPT"] == last_frames(client)


def test_an_error_arrives_although_input_is_unread(hub: RunningHub, dial: Dial) -> None:
    """Closing a socket with unread input makes TCP reset it, and the reset destroys what is on its way."""
    client = dial()
    client.connect()
    client.send("RUBBISH\n\n^@" + "x" * 500_000)
    client.expect_error("Unknown command")


def test_nothing_is_done_after_an_error(hub: RunningHub, dial: Dial) -> None:
    client, watcher = dial(), dial()
    watcher.connect()
    watcher.send("SUBSCRIBE\nid:s\ndestination:/topic/after-error\n\n^@")
    watcher.round_trip()
    client.connect()

    client.send("RUBBISH\n\n^@SEND\ndestination:/topic/after-error\n\n^@")
    client.expect_error("Unknown command")

    assert [] == watcher.round_trip()


def test_nothing_is_done_after_a_disconnect(dial: Dial) -> None:
    client = dial()
    client.connect()
    client.send("DISCONNECT\nreceipt:bye\n\n^@SEND\ndestination:/topic/a\nreceipt:late\n\n^@SEND\n\n^@RUBBISH\n\n^@")
    client.expect("RECEIPT", receipt_id="bye")
    client.expect_end()


def test_disconnect_without_receipt_closes(dial: Dial) -> None:
    client = dial()
    client.connect()
    client.send("DISCONNECT\n\n^@")
    client.expect_end()


def test_a_second_connection_finds_what_a_disconnect_gave_back(dial: Dial) -> None:
    client, other = dial(), dial()
    client.connect()
    client.send("SUBSCRIBE\nid:s\ndestination:/queue/handover\nack:client\n\n^@SEND\ndestination:/queue/handover\n\n^@")
    client.expect("MESSAGE")
    client.send("DISCONNECT\nreceipt:bye\n\n^@")
    client.expect("RECEIPT", receipt_id="bye")

    other.connect()
    other.send("SUBSCRIBE\nid:s\ndestination:/queue/handover\n\n^@")
    assert ["true"] == [frame.headers["redelivered"] for frame in other.round_trip()]


def test_over_tcp_a_client_may_close_its_half_after_disconnect(hub: RunningHub) -> None:
    with tcp(hub.stomp_port) as client:
        client.connect()
        octets = client.octets
        assert isinstance(octets, TcpOctets)
        client.send("SEND\ndestination:/topic/a\nreceipt:1\n\n^@DISCONNECT\nreceipt:bye\n\n^@")
        octets.half_close()
        client.expect("RECEIPT", receipt_id="1")
        client.expect("RECEIPT", receipt_id="bye")
        client.expect_end()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (client_frame(b"DISCONNECT\n\n\0"), 1000),
        (client_frame(b"RUBBISH\n\n\0"), 1002),
        (client_frame(b"SUBSCRIBE\nid:1\ndestination:/topic/a\nselector:x\n\n\0"), 1008),
        (client_frame(b"SEND\ndestination:/topic/a\ncontent-length:99999999\n\n"), 1009),
        (client_frame(b"SEND\ndestination:/topic/a\n\n\xff\0"), 1007),
        (client_frame(b"x", 0x1, final=False) + client_frame(b"y", 0x1), 1002),
        (client_frame(b"x", 0x0), 1002),
        (client_frame(b"x", 0x3), 1002),
        (client_frame(b"x" * 126, 0x9), 1002),
        (b"\x81\x01x", 1002),
        (b"\xc1\x81\0\0\0\0x", 1002),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0", 1009),
        (client_frame(b"\x03", 0x8), 1002),
        (client_frame((1005).to_bytes(2, "big"), 0x8), 1002),
        (client_frame((3000).to_bytes(2, "big"), 0x8), 3000),
    ],
)
def test_the_close_code_says_why(hub: RunningHub, octets: bytes, code: int) -> None:
    web_socket = WebSocketOctets(hub.port)
    with RawStomp(web_socket) as client:
        client.connect()
        web_socket.socket.sendall(octets)
        ended(web_socket)
        assert code == web_socket.close_code
        assert web_socket.close_reason.isascii()


def test_a_control_frame_between_fragments_is_answered(hub: RunningHub) -> None:
    web_socket = WebSocketOctets(hub.port)
    with RawStomp(web_socket) as client:
        client.connect()
        web_socket.send_message("SEND\ndestination:/topic/ü\nrec".encode()[:24], 0x1, final=False)
        web_socket.send_message(b"are you there", 0x9)
        web_socket.send_message("SEND\ndestination:/topic/ü\nreceipt:r\n\n\0".encode()[24:], 0x0)
        client.expect("RECEIPT", receipt_id="r")
        assert 1 == web_socket.pongs


def test_a_hub_that_stops_says_going_away(tmp_path: Path) -> None:
    with RunningHub(tmp_path) as hub:
        web_sockets = [WebSocketOctets(hub.port) for _ in range(3)]
        clients = [RawStomp(octets) for octets in web_sockets]
        plain = tcp(hub.stomp_port)
        for client in (*clients, plain):
            client.connect()
            client.round_trip()

        stopping = threading.Thread(target=hub.stop)
        stopping.start()
        for client in (*clients, plain):
            client.expect_end()
            client.octets.close()
        stopping.join()

        assert [1001] * 3 == [octets.close_code for octets in web_sockets]


@pytest.fixture
async def durable_hub(postgres_server: TestServer, tmp_path: Path) -> AsyncIterator[RunningHub]:
    """A hub with a real database."""
    lent: AbstractAsyncContextManager[str] = postgres_server.database()
    async with lent as url:
        running = RunningHub(tmp_path, database_url=url)
        await asyncio.to_thread(running.start)
        try:
            yield running
        finally:
            await asyncio.to_thread(running.stop)


async def test_receipts_of_readings_arrive_before_the_last_one_and_although_the_client_closed_its_half(
    durable_hub: RunningHub,
) -> None:
    def converse() -> list[str]:
        with tcp(durable_hub.stomp_port) as client:
            client.connect()
            send = 'SEND\ndestination:/topic/devices/half/telemetry\nreceipt:{}\n\n{{"ts":{},"t":1}}^@'
            now_ms = 1_795_190_400_000
            client.send("".join(send.format(number, now_ms + number) for number in range(20)))
            client.send("DISCONNECT\nreceipt:bye\n\n^@")
            client.octets.socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
            receipts: list[str] = []
            while (frame := client.maybe_frame()) is not None:
                receipts.append(frame.headers["receipt-id"])
            return receipts

    assert [*map(str, range(20)), "bye"] == await asyncio.to_thread(converse)
