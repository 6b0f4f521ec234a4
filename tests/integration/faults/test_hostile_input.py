"""Input that is meant to hurt (fault matrix F14 to F18): refused at once, by one ERROR, at little cost."""

import asyncio
import base64
import contextlib
import gc
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from hub.app import HubApp
from hub.broker.publication import CLIENT, NO_HEADERS
from hub.settings.limits import Limits
from hub.topics.destinations import Destination, Kind
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, WebSocketOctets, client_frame, ended, tcp, websocket
from tests.support.waiting import wait_for

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=Limits(close_s=1.0)) as running:
        yield running


def opened(hub: RunningHub) -> RawStomp:
    client = tcp(hub.stomp_port)
    client.connect()
    return client


def memory() -> int:
    """Return this process's resident bytes: the hub runs in it."""
    resident: int = psutil.Process().memory_info().rss
    return resident


@pytest.mark.parametrize(
    ("length", "summary"),
    [
        ("1000000000000", "Bad content-length"),
        ("999999999", "Body too large"),
        ("-1", "Bad content-length"),
        ("1e3", "Bad content-length"),
        ("+5", "Bad content-length"),
        ("", "Bad content-length"),
        ("٣", "Bad content-length"),
        ("0x10", "Bad content-length"),
        ("1 2", "Bad content-length"),
    ],
)
def test_a_content_length_that_lies_is_refused_when_the_headers_end(hub: RunningHub, length: str, summary: str) -> None:
    before = memory()
    with opened(hub) as client:
        client.send(f"SEND\ndestination:/topic/a\ncontent-length:{length}\n\n")
        client.expect_error(summary)
    assert memory() - before < 8 * MIB


def test_a_content_length_of_zero_with_a_body_is_refused(hub: RunningHub) -> None:
    with opened(hub) as client:
        client.send("SEND\ndestination:/topic/a\ncontent-length:0\n\nbody^@")
        client.expect_error("Bad content-length")


def test_a_nul_in_a_body_without_length_ends_the_frame(hub: RunningHub) -> None:
    with opened(hub) as client:
        client.send("SEND\ndestination:/topic/a\nreceipt:r\n\nbo^@dy^@BEGIN\n\n^@")
        client.expect("RECEIPT", receipt_id="r")
        client.expect_error("Unknown command")


@pytest.mark.parametrize(
    ("block", "summary"),
    [
        ("k:v\n" * 10_000, "Too many headers"),
        ("k:" + "v" * 65_536 + "\n", "Headers too large"),
        (
            "k:v\n" * 99 + "l:" + "v" * 8_100 + "\n" + "".join(f"m{n}:{'v' * 8_000}\n" for n in range(9)),
            "Headers too large",
        ),
        ("S" * 100_000, "Unknown command"),
    ],
    ids=["many", "long line", "large block", "no line end"],
)
def test_a_flood_of_headers_is_refused_while_it_arrives(hub: RunningHub, block: str, summary: str) -> None:
    with opened(hub) as client:
        client.send(block if summary == "Unknown command" else f"SEND\ndestination:/topic/a\n{block}\n^@")
        error = client.frame()
        assert error.headers["message"].partition(" (")[0] in {summary, "Headers too large"}
        client.expect_end()


def test_a_million_line_ends_are_only_heart_beats(hub: RunningHub) -> None:
    with opened(hub) as client:
        before, begun = memory(), time.process_time()
        for _ in range(16):
            client.send("\n" * 65_536)
        assert [] == client.round_trip()
        assert time.process_time() - begun < 2.0
        assert memory() - before < 8 * MIB
    with websocket(hub.port) as client:
        client.connect()
        assert isinstance(client.octets, WebSocketOctets)
        begun = time.process_time()
        client.octets.socket.sendall(client_frame(b"\n") * 20_000)
        assert [] == client.round_trip()
        assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    "topic_filter",
    ["#/#/#", "+/" * 63 + "+", "/".join("a" * 1_000), "+/+/+/+/+", "a+", "a/#/b", "#a", "\\0"],
    ids=lambda value: value[:12],
)
def test_a_wildcard_bomb_is_refused(hub: RunningHub, topic_filter: str) -> None:
    with opened(hub) as client:
        client.send(f"SUBSCRIBE\nid:1\ndestination:/topic/{topic_filter}\n\n^@")
        error = client.frame()
        assert error.headers["message"].partition(" (")[0] in {"Bad destination", "Bad escape"}
        client.expect_end()


def test_ten_thousand_subscriptions_are_cut_at_the_limit(hub: RunningHub) -> None:
    with opened(hub) as client:
        client.send("".join(f"SUBSCRIBE\nid:{n}\ndestination:/topic/+/{n}/#\n\n^@" for n in range(10_000)))
        client.expect_error("Too many subscriptions")
    wait_for(lambda: hub.look(lambda app: app.broker.subscriptions) == 0)


def test_publishing_stays_cheap_beside_many_wildcards(hub: RunningHub) -> None:
    watchers = [opened(hub) for _ in range(8)]
    for number, watcher in enumerate(watchers):
        watcher.send("".join(f"SUBSCRIBE\nid:{n}\ndestination:/topic/+/{number}/{n}/+/#\n\n^@" for n in range(128)))
        watcher.round_trip()

    def publish() -> float:
        def act(app: HubApp) -> float:
            begun = time.perf_counter()
            for number in range(200):
                destination = Destination(Kind.TOPIC, f"a/{number % 8}/{number % 128}/x/{number}")
                app.broker.publish_one(destination, b"x", NO_HEADERS, CLIENT)
            return (time.perf_counter() - begun) / 200

        return hub.look(act)

    assert min(publish() for _ in range(3)) < 0.001
    for watcher in watchers:
        watcher.octets.close()


@pytest.mark.parametrize(
    ("frames", "summary"),
    [
        ("".join(f"BEGIN\ntransaction:{n}\n\n^@" for n in range(5)), "Too many transactions"),
        (
            "BEGIN\ntransaction:t\n\n^@" + "SEND\ndestination:/topic/a\ntransaction:t\n\n^@" * 1_001,
            "Transaction too large",
        ),
        (
            "BEGIN\ntransaction:t\n\n^@"
            + ("SEND\ndestination:/topic/a\ntransaction:t\n\n" + "x" * 1_000_000 + "^@") * 17,
            "Transaction too large",
        ),
        (f"SUBSCRIBE\nid:{'i' * 1_025}\ndestination:/topic/a\n\n^@", "Bad header"),
    ],
    ids=["open", "frames", "octets", "subscription id"],
)
def test_what_a_connection_may_hold_is_bounded(hub: RunningHub, frames: str, summary: str) -> None:
    with opened(hub) as client:
        client.send(frames)
        client.expect_error(summary)


def test_a_full_queue_refuses_the_publisher(tmp_path_factory: pytest.TempPathFactory) -> None:
    limits = Limits(queue_messages=3, transaction_frames=3, queues=2)
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=limits) as small:
        with opened(small) as client:
            client.send("SEND\ndestination:/queue/full\n\n^@" * 3 + "SEND\ndestination:/queue/full\nreceipt:r\n\n^@")
            client.expect_error("Queue full", receipt_id="r")
        with opened(small) as client:
            client.send("SEND\ndestination:/queue/two\n\n^@SEND\ndestination:/queue/three\nreceipt:r\n\n^@")
            client.expect_error("Too many queues", receipt_id="r")


def test_pings_whose_answers_are_never_read_cost_nothing(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port, receive_buffer=4_096)
    with RawStomp(octets) as client:
        client.connect()
        before = memory()
        ping = client_frame(b"p" * 125, 0x9)
        for _ in range(1_000):
            octets.socket.sendall(ping * 100)
        # All but what the kernel holds was read by the hub.
        assert memory() - before < 8 * MIB
        client.send("DISCONNECT\nreceipt:bye\n\n^@")
        client.expect("RECEIPT", receipt_id="bye")
        assert octets.pongs < 100_000


class LoopHolds:
    """The longest time for which the hub's loop worked without a turn for others, in CPU time of its thread.

    Other processes on the machine, and the test's own thread, do not count.
    """

    def __init__(self, hub: RunningHub) -> None:
        self.longest_s = 0.0
        self._last = 0.0
        self._on = True
        hub.look(lambda _: self._turn())

    def _turn(self) -> None:
        now = time.thread_time()
        if self._last:
            self.longest_s = max(self.longest_s, now - self._last)
        self._last = now
        if self._on:
            asyncio.get_running_loop().call_soon(self._turn)

    def stop(self, hub: RunningHub) -> float:
        def stop(_: HubApp) -> None:
            self._on = False

        hub.look(stop)
        return self.longest_s


@pytest.mark.parametrize(
    "frames",
    [
        client_frame(b"", 0x9),
        client_frame(b"x" * 20, 0x9),
        client_frame(b"", 0xA),
        client_frame(b""),
        b"\x01\x80\0\0\0\0",
    ],
    ids=["empty pings", "pings", "pongs", "empty messages", "fragments"],
)
def test_tiny_frames_before_login_do_not_hold_the_loop(hub: RunningHub, frames: bytes) -> None:
    """30 connections whose sockets are full of them held it for 1.3 s."""
    attackers = [WebSocketOctets(hub.port) for _ in range(30)]
    flood = frames * (300_000 // len(frames))
    if frames[0] == 0x01:
        flood = frames + (b"\0" + frames[1:]) * (300_000 // len(frames))
    gc.freeze()  # as `serve` does: the objects of the test run are none of the hub's
    holds = LoopHolds(hub)
    with ThreadPoolExecutor(len(attackers)) as pool:
        list(pool.map(lambda attacker: _send_all(attacker.socket, flood), attackers))
    longest_s = holds.stop(hub)
    gc.unfreeze()
    for attacker in attackers:
        attacker.close()
    assert longest_s < 0.05


def _send_all(peer: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it is refused in between, or takes no answers and is stopped
        peer.settimeout(5)
        peer.sendall(data)


def test_many_small_websocket_messages_do_not_pass_the_opening_budget(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port)
    with RawStomp(octets) as client:
        octets.socket.sendall(client_frame(b"CONNECT\n") + client_frame(b"k:v\n") * 3_000)
        client.expect_error("Too much before CONNECT")
        assert 1009 == octets.close_code


def test_many_small_websocket_messages_do_not_pass_the_frame_limit(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port)
    with RawStomp(octets) as client:
        client.connect()
        octets.send_message(b"SEND\ndestination:/topic/a\n\n")
        octets.socket.sendall(client_frame(b"x" * 60_000) * 20)
        client.expect_error("Body too large")


def test_a_large_message_before_connect_is_refused_by_its_header(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port)
    octets.socket.sendall(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0")
    ended(octets)
    assert 1009 == octets.close_code
    octets.close()


@pytest.mark.parametrize("extension", ["permessage-deflate", "permessage-deflate; client_max_window_bits=99"])
def test_compression_is_not_negotiated(hub: RunningHub, extension: str) -> None:
    request = [
        "GET /ws HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(b'k' * 16).decode()}",
        f"Sec-WebSocket-Extensions: {extension}",
    ]
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as connection:
        connection.sendall("\r\n".join([*request, "", ""]).encode())
        answer = connection.recv(4_096)
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"sec-websocket-extensions" not in answer.lower()


def test_one_connection_more_than_the_limit_is_turned_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=Limits(connections=2)) as small:
        clients = [opened(small), opened(small)]
        refused = WebSocketOctets(small.port)
        assert (503, "5") == (refused.status, refused.response["retry-after"])
        refused.close()
        with tcp(small.stomp_port) as third:
            third.expect_end()
        clients[0].octets.close()
        wait_for(lambda: small.connections == 1)
        opened(small).octets.close()
        clients[1].octets.close()
