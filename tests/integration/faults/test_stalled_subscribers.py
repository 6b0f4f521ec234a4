"""Subscribers that never read beside healthy ones (fault matrix F7, small): bounded memory, nobody else is slowed."""

import statistics
import time
from pathlib import Path

import psutil

from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, WebSocketOctets, ended, tcp, websocket
from tests.support.waiting import wait_for

STALLED, HEALTHY = 50, 5
MESSAGES = 400
BODY = "x" * 16_384  # the kernel takes some MiB for each connection before the hub notices
OUTBOX = 128 * 1024
MIB = 1024 * 1024
STALL_S = 1.0


def subscribed(hub: RunningHub, *headers: str, receive_buffer: int | None = None) -> RawStomp:
    client = websocket(hub.port, receive_buffer=receive_buffer)
    client.connect()
    client.send("\n".join(["SUBSCRIBE", "id:sub-0", "destination:/topic/load", *headers, "receipt:s", "", "^@"]))
    client.expect("RECEIPT", receipt_id="s")
    return client


def test_the_stalled_are_cut_and_the_healthy_get_everything(tmp_path: Path) -> None:
    with RunningHub(
        tmp_path, limits=Limits(body_bytes=OUTBOX, outbox_bytes=OUTBOX, stall_s=STALL_S, close_s=1.0)
    ) as hub:
        stalled = [subscribed(hub, receive_buffer=4_096) for _ in range(STALLED)]
        healthy = [subscribed(hub) for _ in range(HEALTHY)]
        before = psutil.Process().memory_info().rss
        peak = 0
        taken_s: list[float] = []
        with tcp(hub.stomp_port) as publisher:
            publisher.connect()
            for number in range(MESSAGES):
                begun = time.monotonic()
                publisher.send(f"SEND\ndestination:/topic/load\nnumber:{number}\n\n{BODY}^@")
                for client in healthy:
                    client.expect("MESSAGE", number=str(number))
                taken_s.append(time.monotonic() - begun)
                peak = max(peak, hub.look(lambda app: max(one.waiting_bytes for one in app.services.connections)))
            assert psutil.Process().memory_info().rss - before < STALLED * OUTBOX + 50 * MIB
            assert peak <= OUTBOX + 2 * len(BODY)
            # A stalled one is waited for, if at all, for as long as it may stall: then half of the messages would be late.
            assert statistics.median(taken_s) < 0.25 * STALL_S

            # They read nothing while their messages are dropped: so they are ended, with a reason and a count.
            publisher.send(f"SEND\ndestination:/topic/load\n\n{BODY}^@")
            wait_for(lambda: hub.look(lambda app: app.broker.counters.slow_consumers) >= STALLED)
            assert 0 < hub.look(lambda app: app.broker.counters.dropped["drop-oldest"])
            wait_for(lambda: hub.connections == HEALTHY + 1)
        for client in (*healthy, *stalled):
            client.octets.close()


def test_who_asked_for_it_is_ended_at_the_bound_with_a_reason(tmp_path: Path) -> None:
    with RunningHub(tmp_path, limits=Limits(body_bytes=OUTBOX, outbox_bytes=OUTBOX, close_s=5.0)) as hub:
        client = subscribed(hub, "on-slow:disconnect", receive_buffer=4_096)
        with tcp(hub.stomp_port) as publisher:
            publisher.connect()
            publisher.send(f"SEND\ndestination:/topic/load\n\n{BODY}^@" * 800)
            publisher.round_trip()
            wait_for(lambda: hub.look(lambda app: app.broker.counters.slow_consumers))
        assert isinstance(client.octets, WebSocketOctets)
        ended(client.octets)
        assert (1008, "slow consumer") == (client.octets.close_code, client.octets.close_reason)
        client.octets.close()


def test_a_slow_reader_is_told_how_many_messages_it_missed(tmp_path: Path) -> None:
    with RunningHub(tmp_path, limits=Limits(body_bytes=OUTBOX, outbox_bytes=OUTBOX)) as hub:
        client = subscribed(hub, receive_buffer=4_096)
        count = 1_000
        with tcp(hub.stomp_port) as publisher:
            publisher.connect()
            for start in range(0, count, 100):
                sends = (f"SEND\ndestination:/topic/load\nnumber:{n}\n\n{BODY}^@" for n in range(start, start + 100))
                publisher.send("".join(sends))
                publisher.round_trip()

        numbers: list[int] = []
        dropped = 0
        while not numbers or numbers[-1] < count - 1:
            message = client.expect("MESSAGE")
            numbers.append(int(message.headers["number"]))
            dropped += int(message.headers.get("dropped", "0"))

        assert sorted(numbers) == numbers
        assert dropped > 0
        assert count == len(numbers) + dropped
        client.octets.close()
