"""stomp.py 9 against the hub: 1.0, 1.1, 1.2 over TCP, 1.2 over WebSocket."""

import uuid

import pytest

from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.stomp_py import StompPy
from tests.support.waiting import wait_for

MIB = 1024 * 1024


@pytest.fixture(params=["1.0", "1.1", "1.2", "websocket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex[:8]


def test_messages_pass_with_their_headers_and_any_body(hub: RunningHub, kind: str, name: str) -> None:
    bodies = [b"plain", "Grüße, 雪 😀".encode(), b"a\0b\0\0", bytes(range(256)), b"", b"\n\n", b"x" * MIB]
    with StompPy(hub, kind).connect() as client:
        client.subscribe(f"/topic/{name}/+")

        for number, body in enumerate(bodies):
            client.send(f"/topic/{name}/{number}", body, number=str(number), content_type="text/x")

        messages = client.messages(len(bodies))
        assert bodies == [message.body for message in messages]
        assert [f"/topic/{name}/{number}" for number in range(len(bodies))] == [
            message.headers["destination"] for message in messages
        ]
        assert {"1"} == {message.headers["subscription"] for message in messages}
        assert {"text/x"} == {message.headers["content-type"] for message in messages}


def test_header_values_pass_its_escapes(hub: RunningHub, kind: str, name: str) -> None:
    value = {"1.0": "ä: b", "1.1": "a:b\\c\nd"}.get(kind, "a:b\\c\nd\re")
    with StompPy(hub, kind).connect() as client:
        client.subscribe(f"/topic/{name}")
        client.send(f"/topic/{name}", "x", key=value)
        assert value == client.messages(1)[0].headers["key"]


@pytest.mark.parametrize("transport", ["1.2", "websocket"])
def test_a_sixteen_mebibyte_body_passes_where_the_limit_allows(
    transport: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limits = Limits(body_bytes=16 * MIB, outbox_bytes=32 * MIB)
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=limits) as hub, StompPy(hub, transport).connect() as client:
        client.subscribe("/topic/large")
        body = bytes(range(256)) * (16 * MIB // 256)
        client.send("/topic/large", body)
        assert body == client.messages(1, deadline_s=30)[0].body


@pytest.mark.parametrize("ack", ["client", "client-individual"])
def test_acknowledgement_modes(hub: RunningHub, kind: str, name: str, ack: str) -> None:
    with StompPy(hub, kind).connect() as client, StompPy(hub, "1.2").connect() as other:
        client.subscribe(f"/queue/{name}", ack)
        for body in "123":
            client.send(f"/queue/{name}", body)
        client.ack(client.messages(3)[1])
        client.disconnect("bye")
        wait_for(lambda: "bye" in client.heard.receipts)

        other.subscribe(f"/queue/{name}")

        left = [b"3"] if ack == "client" else [b"1", b"3"]
        messages = other.messages(len(left))
        assert left == [message.body for message in messages]
        assert {"true"} == {message.headers["redelivered"] for message in messages}


def test_nack_redelivers(hub: RunningHub, kind: str, name: str) -> None:
    with StompPy(hub, kind).connect() as client:
        client.subscribe(f"/queue/{name}", "client-individual")
        client.send(f"/queue/{name}", "job")
        if kind == "1.0":
            return  # the library has no NACK in 1.0
        client.nack(client.messages(1)[0])
        again = client.messages(2)[1]
        assert (b"job", "true") == (again.body, again.headers["redelivered"])
        client.ack(again)


def test_transactions_are_all_or_nothing(hub: RunningHub, kind: str, name: str) -> None:
    with StompPy(hub, kind).connect() as client:
        client.subscribe(f"/topic/{name}")
        dropped = client.begin()
        client.send(f"/topic/{name}", "dropped", transaction=dropped)
        client.abort(dropped, "aborted")
        kept = client.begin()
        for body in "12":
            client.send(f"/topic/{name}", body, transaction=kept, receipt=f"r{body}")
        client.send(f"/topic/{name}", "before")
        client.messages(1)
        assert {"r1", "r2"}.isdisjoint(client.heard.receipts)

        client.commit(kept, "committed")

        assert [b"before", b"1", b"2"] == [message.body for message in client.messages(3)]
        wait_for(lambda: "committed" in client.heard.receipts)
        assert ["sub-1", "aborted", "r1", "r2", "committed"] == client.heard.receipts


def test_unsubscribe_ends_the_messages(hub: RunningHub, kind: str, name: str) -> None:
    with StompPy(hub, kind).connect() as client:
        client.subscribe(f"/topic/{name}")
        client.unsubscribe()
        client.send(f"/topic/{name}", "x", receipt="sent")
        wait_for(lambda: "sent" in client.heard.receipts)
        assert [] == client.heard.messages


def test_an_error_reaches_the_listener_before_the_end(hub: RunningHub, kind: str) -> None:
    with StompPy(hub, kind).connect() as client:
        client.send("/nowhere", "x", receipt="r")
        assert client.heard.disconnected.wait(10)
        assert [("Bad destination (/nowhere)", "r")] == [
            (error.headers["message"], error.headers["receipt-id"]) for error in client.heard.errors
        ]


@pytest.mark.parametrize("beating", ["1.1", "1.2", "websocket"])
def test_heart_beats_keep_an_idle_connection(quick_hub: RunningHub, beating: str) -> None:
    with (
        StompPy(quick_hub, beating, heart_beat_ms=(500, 500)).connect() as client,
        StompPy(quick_hub, "1.2", heart_beat_ms=(500, 500)).connect() as silent,
    ):
        silent.stop_beating()
        assert silent.heard.disconnected.wait(10), "the hub ends who does not beat"
        assert not client.heard.disconnected.is_set()
        assert 0 == client.heard.heart_beat_timeouts
        client.send("/topic/alive", "x", receipt="alive")
        wait_for(lambda: "alive" in client.heard.receipts)


@pytest.mark.parametrize("beating", ["1.1", "1.2", "websocket"])
def test_a_client_notices_that_the_hub_is_silent(quick_hub: RunningHub, beating: str) -> None:
    with StompPy(quick_hub, beating, heart_beat_ms=(500, 500)).connect() as client:
        client.deafen()
        wait_for(lambda: client.heard.heart_beat_timeouts)
