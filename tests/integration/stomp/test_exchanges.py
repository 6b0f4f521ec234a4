"""The exchanges A to G of the STOMP reference (section 16), byte by byte, over both transports."""

import uuid
from collections.abc import Callable

import pytest

from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, WebSocketOctets, tcp, websocket

Dial = Callable[[], RawStomp]


@pytest.fixture
def name() -> str:
    """A name of this test's own, for topics and queues on the shared hub."""
    return uuid.uuid4().hex[:8]


def subscribed(dial: Dial, destination: str, *headers: str, version: str = "1.2") -> RawStomp:
    client = dial()
    client.connect(version)
    client.send("\n".join(["SUBSCRIBE", "id:sub-0", f"destination:{destination}", *headers, "receipt:r1", "", "^@"]))
    client.expect("RECEIPT", receipt_id="r1")
    return client


def test_a_two_frames_and_a_beat_in_one_message_then_a_frame_in_three(dial: Dial, name: str) -> None:
    client = subscribed(dial, f"/topic/{name}/b")

    client.send(
        f"\nSEND\ndestination:/topic/{name}/b\n\none^@\nSEND\ndestination:/topic/{name}/b\n\ntwo^@\n",
        "SEND\ndestina",
        f"tion:/topic/{name}/b\ncontent-length:7\n\nx^@y",
        "^@abc^@",
    )

    assert [b"one", b"two", b"x\0y\0abc"] == [client.expect("MESSAGE").body for _ in range(3)]


def test_b_escapes_of_1_2_come_out_as_they_went_in(dial: Dial, name: str) -> None:
    client = subscribed(dial, f"/topic/{name}")

    client.send(f"SEND\ndestination:/topic/{name}\n" + r"k\ce\\y:a\nb\rc\\nd" + "\n\n^@")

    message = client.frame()
    assert r"k\ce\\y:a\nb\rc\\nd" in message.lines
    assert "a\nb\rc\\nd" == message.headers["k:e\\y"]


def test_c_the_first_of_repeated_headers_wins(dial: Dial, name: str) -> None:
    client = subscribed(dial, f"/topic/{name}/#")

    client.send(f"SEND\ndestination:/topic/{name}/x\ndestination:/topic/{name}/y\nv:1\nv:2\n\n^@")

    message = client.expect("MESSAGE", destination=f"/topic/{name}/x", v="1")
    assert "v:2" not in message.lines
    assert [] == client.round_trip()


def test_d_a_queue_redelivers_what_was_refused_and_a_second_ack_is_an_error(dial: Dial, name: str) -> None:
    client = subscribed(dial, f"/queue/{name}", "ack:client")
    client.send(f"SEND\ndestination:/queue/{name}\n\na^@")
    first = client.expect(
        "MESSAGE", destination=f"/queue/{name}", subscription="sub-0", redelivered="false", content_length="1"
    )

    client.send(f"NACK\nid:{first.headers['ack']}\n\n^@")
    again = client.expect("MESSAGE", subscription="sub-0", redelivered="true")
    assert first.headers["ack"] != again.headers["ack"]
    assert b"a" == again.body

    client.send(f"ACK\nid:{again.headers['ack']}\n\n^@", f"ACK\nid:{again.headers['ack']}\nreceipt:r2\n\n^@")
    client.expect_error("Unknown ack id", receipt_id="r2")


def test_e_receipts_of_a_transaction_come_after_commit_and_never_after_abort(dial: Dial, name: str) -> None:
    client = subscribed(dial, f"/topic/{name}")
    send = f"SEND\ndestination:/topic/{name}\ntransaction:t1\nreceipt:s1\n\n1^@"

    client.send("BEGIN\ntransaction:t1\n\n^@", send)
    assert [] == client.round_trip()
    client.send("COMMIT\ntransaction:t1\nreceipt:c1\n\n^@")

    frames = [client.frame() for _ in range(3)]
    assert ["s1", "c1"] == [frame.headers["receipt-id"] for frame in frames if frame.command == "RECEIPT"]
    assert [b"1"] == [frame.body for frame in frames if frame.command == "MESSAGE"]

    client.send("BEGIN\ntransaction:t1\n\n^@", send, "ABORT\ntransaction:t1\nreceipt:a1\n\n^@")
    client.expect("RECEIPT", receipt_id="a1")
    assert [] == client.round_trip()


def test_f_a_1_0_client_needs_neither_version_nor_id(dial: Dial, name: str) -> None:
    client = dial()
    client.send("CONNECT\nlogin:u\npasscode:p\n\n^@")
    client.expect("CONNECTED", version="1.0", heart_beat="0,0")
    topic = f"/topic/{name}:1"

    client.send(f"SUBSCRIBE\ndestination:{topic}\nack:client\n\n^@", f"SEND\ndestination:{topic}\n\nhi^@")
    message = client.frame()

    assert f"destination:{topic}" in message.lines
    assert "content-length:2" in message.lines
    assert not [line for line in message.lines if line.startswith(("subscription:", "ack:"))]
    client.send(f"ACK\nmessage-id:{message.headers['message-id']}\nreceipt:a\n\n^@")
    client.expect("RECEIPT", receipt_id="a")
    client.send(f"UNSUBSCRIBE\ndestination:{topic}\n\n^@", f"SEND\ndestination:{topic}\n\nhi^@")
    assert [] == client.round_trip()


def test_g_the_receipt_of_disconnect_is_the_last_frame(dial: Dial) -> None:
    client = dial()
    client.connect()

    client.send("DISCONNECT\nreceipt:close-3\n\n^@")

    client.expect("RECEIPT", receipt_id="close-3")
    client.expect_end()
    if isinstance(client.octets, WebSocketOctets):
        assert 1000 == client.octets.close_code


def test_over_tcp_bytes_may_come_one_by_one(hub: RunningHub, name: str) -> None:
    with tcp(hub.stomp_port) as client:
        exchange = (
            f"\nSTOMP\r\naccept-version:1.2\r\n\r\n^@\r\nSUBSCRIBE\nid:0\r\ndestination:/topic/{name}\n\n^@"
            f"SEND\ndestination:/topic/{name}\nk:\\c\n\n\N{SNOWMAN}^@"
        )
        for byte in exchange.replace("^@", "\0").encode():
            client.octets.send(bytes((byte,)))

        client.expect("CONNECTED", version="1.2")
        assert "\N{SNOWMAN}" == client.expect("MESSAGE", subscription="0", k=":").body.decode()


def test_over_websocket_a_frame_may_change_between_text_and_binary_messages(hub: RunningHub, name: str) -> None:
    with websocket(hub.port) as client:
        client.connect()
        octets = client.octets
        assert isinstance(octets, WebSocketOctets)
        client.send(f"SUBSCRIBE\nid:0\ndestination:/topic/{name}\n\n^@")

        octets.send_message(b"")
        octets.send_message(f"SEND\ndestination:/topic/{name}\ncontent-length:4\n\n".encode())
        octets.send_message(b"\xff\xfe", 0x2)
        octets.send_message(b"a")
        octets.send_message(b"\0\0", 0x2, final=False)
        octets.send_message(b"", 0x0)

        assert b"\xff\xfea\0" == client.expect("MESSAGE").body
        assert 0x2 == octets.opcodes[-1], "a body that is not UTF-8 travels in a binary message"
        assert {0x1} == set(octets.opcodes[:-1])


def test_each_frame_travels_in_a_websocket_message_of_its_own(hub: RunningHub, name: str) -> None:
    with websocket(hub.port) as client:
        client.connect()
        octets = client.octets
        assert isinstance(octets, WebSocketOctets)
        client.send(f"SUBSCRIBE\nid:0\ndestination:/topic/{name}\n\n^@" + f"SEND\ndestination:/topic/{name}\n\n^@" * 5)

        assert [] == [frame for frame in client.round_trip() if frame.command != "MESSAGE"]
        assert {1} == {message.count(b"\0") for message in octets.messages}
        assert {b"\0"} == {message[-1:] for message in octets.messages}
