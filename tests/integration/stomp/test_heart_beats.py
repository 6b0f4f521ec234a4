"""Heart-beats on real sockets: kept as promised, missed by either end."""

import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.app import HubApp
from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, TcpOctets, WebSocketOctets, ended
from tests.support.waiting import wait_for

SLOWLY_S = 1.6  # well over the two periods of 0.5 s that the hub waits


def dial(hub: RunningHub, transport: str) -> RawStomp:
    return RawStomp(TcpOctets(hub.stomp_port) if transport == "tcp" else WebSocketOctets(hub.port))


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_the_hub_beats_as_it_said_also_while_it_is_busy_and_never_inside_a_frame(
    quick_hub: RunningHub, transport: str
) -> None:
    with dial(quick_hub, transport) as client:
        connected = client.connect("1.2", "heart-beat:0,500")
        period_s = int(connected.headers["heart-beat"].partition(",")[0]) / 1000
        assert 0.5 == period_s

        gaps: list[float] = []
        last = time.monotonic()
        while len(gaps) < 3:
            data = client.octets.receive()
            assert b"\n" == data, "a beat is a line end alone"
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

        # The median: a busy machine may be late once.
        assert statistics.median(gaps) < 1.5 * period_s, "stomp.py gives up after 1.5 periods"


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_a_silent_client_is_ended_after_two_periods_and_its_work_goes_back(
    quick_hub: RunningHub, transport: str
) -> None:
    queue = f"/queue/{transport}-silent"
    with dial(quick_hub, transport) as client, dial(quick_hub, "tcp") as other:
        client.connect("1.2", "heart-beat:500,0")
        connected = time.monotonic()
        client.send(f"SUBSCRIBE\nid:s\ndestination:{queue}\nack:client\n\n^@SEND\ndestination:{queue}\n\n1^@")
        client.expect("MESSAGE")

        ended(client.octets)

        assert time.monotonic() - connected > 0.9
        if isinstance(client.octets, WebSocketOctets):
            assert (1002, "heart-beat timeout") == (client.octets.close_code, client.octets.close_reason)
        other.connect()
        other.send(f"SUBSCRIBE\nid:s\ndestination:{queue}\n\n^@")
        other.expect("MESSAGE", redelivered="true")


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_any_byte_is_a_sign_of_life(quick_hub: RunningHub, transport: str) -> None:
    """A large frame that comes slowly: over WebSocket in one message, within which no beat can be sent."""
    with dial(quick_hub, transport) as client:
        client.connect("1.2", "heart-beat:500,0")
        frame = b"SEND\ndestination:/topic/slow\nreceipt:r\n\n\0"
        head = b"" if transport == "tcp" else bytes((0x81, 0x80 | len(frame))) + b"\0\0\0\0"
        data = head + frame
        begun = time.monotonic()
        sent = 0

        def drip() -> bool:
            nonlocal sent
            due = min(len(data), int((time.monotonic() - begun) / SLOWLY_S * len(data)) + 1)
            client.octets.socket.sendall(data[sent:due])  # type: ignore[attr-defined]
            sent = due
            return sent == len(data)

        wait_for(drip)
        client.expect("RECEIPT", receipt_id="r")


def test_no_beats_are_expected_of_a_1_0_client_nor_sent(quick_hub: RunningHub) -> None:
    with dial(quick_hub, "tcp") as client, dial(quick_hub, "tcp") as beaten:
        assert "0,0" == client.connect("1.0", "heart-beat:500,500").headers["heart-beat"]
        beaten.connect("1.2", "heart-beat:0,500")
        for _ in range(3):
            assert b"\n" == beaten.octets.receive()
        client.round_trip()
        assert 0 == client.beats


def test_a_websocket_ping_does_not_stand_for_a_beat(quick_hub: RunningHub) -> None:
    octets = WebSocketOctets(quick_hub.port)
    with RawStomp(octets) as client:
        client.connect("1.2", "heart-beat:500,0")
        octets.socket.settimeout(0.1)

        def over() -> bool:
            try:
                octets.send_message(b"", 0x9)
                return not octets.receive()
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_for(over)
        assert 1002 == octets.close_code


@pytest.fixture(scope="module")
def pinging_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=Limits(ping_s=0.3, close_s=1.0)) as running:
        yield running


@pytest.mark.parametrize("asked", ["0,0", "0,10000"])
def test_a_websocket_without_beats_is_pinged_and_lives_as_long_as_it_answers(
    pinging_hub: RunningHub, asked: str
) -> None:
    octets = WebSocketOctets(pinging_hub.port)
    with RawStomp(octets) as client:
        client.connect("1.2", f"heart-beat:{asked}")
        for _ in range(5):
            assert (0x9, b"") == octets._frame()
            octets.send_message(b"", 0xA)
        assert [] == client.round_trip()


@pytest.mark.parametrize("sign_of_life", [b"\n", b"SEND\ndestination:/topic/a\n\n\0"])
def test_any_frame_counts_as_an_answer_to_a_ping(pinging_hub: RunningHub, sign_of_life: bytes) -> None:
    octets = WebSocketOctets(pinging_hub.port)
    with RawStomp(octets) as client:
        client.connect("1.2")
        for _ in range(4):
            assert (0x9, b"") == octets._frame()
            octets.send(sign_of_life)
        assert [] == client.round_trip()


def test_a_websocket_that_answers_no_ping_is_closed_and_its_work_goes_back(pinging_hub: RunningHub) -> None:
    octets = WebSocketOctets(pinging_hub.port)
    with RawStomp(octets) as client, dial(pinging_hub, "tcp") as other:
        client.connect("1.2")
        begun = time.monotonic()
        client.send("SUBSCRIBE\nid:s\ndestination:/queue/dead\nack:client\n\n^@SEND\ndestination:/queue/dead\n\n1^@")
        client.expect("MESSAGE")
        other.connect()
        other.send("SUBSCRIBE\nid:s\ndestination:/queue/dead\n\n^@")

        ended(octets)
        assert 1011 == octets.close_code
        assert time.monotonic() - begun > 0.5, "it had a whole period to answer"
        other.expect("MESSAGE", redelivered="true")


def test_a_websocket_with_beats_is_not_pinged(pinging_hub: RunningHub) -> None:
    with dial(pinging_hub, "websocket") as beating, dial(pinging_hub, "websocket") as pinged:
        beating.connect("1.2", "heart-beat:60000,0")
        pinged.connect("1.2")
        assert isinstance(beating.octets, WebSocketOctets)
        assert isinstance(pinged.octets, WebSocketOctets)
        for _ in range(3):
            assert (0x9, b"") == pinged.octets._frame()
            pinged.octets.send_message(b"", 0xA)
        beating.send("SEND\ndestination:/topic/a\nreceipt:r\n\n^@")
        frame = beating.octets._frame()
        assert frame is not None
        assert frame[1].startswith(b"RECEIPT")


def test_a_tcp_peer_without_beats_is_looked_after_by_the_kernel(pinging_hub: RunningHub) -> None:
    with dial(pinging_hub, "tcp") as silent, dial(pinging_hub, "tcp") as beating:
        silent.connect("1.2")
        beating.connect("1.2", "heart-beat:60000,0")

        def probed(app: HubApp) -> list[int]:
            sockets = [connection._talk._carrier._socket for connection in app.services.connections]  # type: ignore[attr-defined]
            return sorted(one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for one in sockets)

        assert [0, 1] == pinging_hub.look(probed)


def test_a_client_that_asks_for_more_beats_than_the_hub_allows_is_told_what_it_gets(tmp_path: Path) -> None:
    with RunningHub(tmp_path, limits=Limits(heart_beat_min_s=0.2)) as hub, dial(hub, "tcp") as client:
        connected = client.connect("1.2", "heart-beat:0,100")
        assert "200,0" == connected.headers["heart-beat"]
