"""Headers and bodies on real sockets: what other brokers get wrong with them (STOMP reference, section 15)."""

import uuid
from collections.abc import Callable

import pytest

from hub.settings.limits import Limits
from tests.support.hub import RunningHub
from tests.support.raw_stomp import RawStomp, TcpOctets, WebSocketOctets, tcp

Dial = Callable[[], RawStomp]


@pytest.fixture
def topic() -> str:
    return f"/topic/{uuid.uuid4().hex[:8]}"


def watching(dial: Dial, topic: str, version: str = "1.2") -> RawStomp:
    client = dial()
    client.connect(version)
    client.send(f"SUBSCRIBE\nid:s\ndestination:{topic}\nreceipt:sub\n\n^@")
    client.expect("RECEIPT", receipt_id="sub")
    return client


def test_a_send_cannot_set_what_the_hub_owns(dial: Dial, topic: str) -> None:
    client = watching(dial, topic)
    forged = "subscription:other\nack:1\nredelivered:true\ndropped:9\nlogin:u\npasscode:p\nAuthorization:Basic x\n"

    client.send(f"SEND\ndestination:{topic}\n{forged}receipt-id:r\nversion:9\nserver:mine\nsession:own\n\n^@")

    message = client.expect("MESSAGE", subscription="s", version="9", server="mine", session="own")
    owned = {"ack", "redelivered", "dropped", "login", "passcode", "Authorization", "receipt-id"}
    assert set() == owned & set(message.headers)
    assert 1 == sum(line.startswith("subscription:") for line in message.lines)


def test_user_headers_pass_unchanged_and_untrimmed(dial: Dial, topic: str) -> None:
    client = watching(dial, topic)
    headers = ["content-type:text/plain;charset=utf-16", "Key: padded ", "key:", " k :v", r"path:C\cx\\y", "雪:❄"]

    client.send("\n".join(["SEND", f"destination:{topic}", *headers, "", "^@"]))

    assert set(headers) <= set(client.expect("MESSAGE").lines)


@pytest.mark.parametrize(
    ("version", "line", "value"),
    [("1.0", "k:a:b\\n", "k:a:b\\n"), ("1.1", r"k:a\cb\n\\", r"k:a\cb\n\\"), ("1.2", r"k:a\cb\n\r\\", r"k:a\cb\n\r\\")],
)
def test_each_version_has_its_escapes(dial: Dial, topic: str, version: str, line: str, value: str) -> None:
    client = watching(dial, topic, version)
    client.send(f"SEND\ndestination:{topic}\n{line}\n\n^@")
    assert value in client.expect("MESSAGE").lines


def test_what_1_0_and_1_1_cannot_say_becomes_a_space(dial: Dial, topic: str) -> None:
    old, middle, new = watching(dial, topic, "1.0"), watching(dial, topic, "1.1"), watching(dial, topic)
    new.send(f"SEND\ndestination:{topic}\nk:a\\nb\\rc\\cd\n\n^@")
    assert "k:a b c:d" in old.expect("MESSAGE").lines
    assert "k:a\\nb c\\cd" in middle.expect("MESSAGE").lines
    assert "k:a\\nb\\rc\\cd" in new.expect("MESSAGE").lines


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("value", ["\\t", "\\", "a\\xb", "\\N"])
def test_an_undefined_escape_is_an_error(dial: Dial, version: str, value: str) -> None:
    client = dial()
    client.connect(version)
    client.send(f"SEND\ndestination:/topic/a\nk:{value}\n\n^@")
    client.expect_error("Bad escape")


def test_in_1_1_a_carriage_return_has_no_escape(dial: Dial) -> None:
    client = dial()
    client.connect("1.1")
    client.send("SEND\ndestination:/topic/a\nk:\\r\n\n^@")
    client.expect_error("Bad escape")


def test_crlf_and_ends_of_line_between_frames_are_understood(dial: Dial, topic: str) -> None:
    client = watching(dial, topic)
    client.send("\r\n\n^@\r\n", f"SEND\r\ndestination:{topic}\r\ncontent-length: 2 \r\n\r\n\r\n^@\r\n\r\n")
    assert b"\r\n" == client.expect("MESSAGE", destination=topic).body


@pytest.mark.parametrize(
    ("frame", "summary"),
    [
        ("SEND\ndestination:/topic/a\nno colon\n\n^@", "Bad header"),
        ("SEND\ndestination:/topic/a\n:v\n\n^@", "Bad header"),
        (b"SEND\ndestination:/topic/\xff\n\n\0", "Bad header"),
        ("SEND\ndestination:/topic/a\nk:a\rb\n\n^@", "Bad header"),
        ("\rSEND\ndestination:/topic/a\n\n^@", "Bad frame"),
        ("SEND\ndestination:/topic/a\ncontent-length:1\n\nab^@", "Bad content-length"),
        ("SEND\ndestination:/topic/a\ncontent-length:1\ncontent-length:2\n\nab^@", "Bad content-length"),
        ("SUBSCRIBE\nid:1\ndestination:/topic/a\ncontent-length:3\n\nabc^@", "Unexpected body"),
    ],
)
def test_what_is_not_a_frame_is_one_error(dial: Dial, frame: str | bytes, summary: str) -> None:
    client = dial()
    client.connect()
    client.send(frame)
    client.expect_error(summary)


@pytest.mark.parametrize(
    "command", ["BEGIN\ntransaction:t", "ACK\nid:1", "DISCONNECT", "SUBSCRIBE\nid:1\ndestination:/topic/x"]
)
def test_content_length_is_honoured_on_every_frame(dial: Dial, command: str) -> None:
    """A body of line ends is none; with its length given, its NUL is found behind it."""
    client = dial()
    client.connect()
    client.send(f"{command}\ncontent-length:2\nreceipt:r\n\n\n\n^@")
    answer = client.frame()
    assert "r" == answer.headers["receipt-id"]


def test_a_large_frame_over_many_websocket_continuations_is_one_message(hub: RunningHub, topic: str) -> None:
    octets = WebSocketOctets(hub.port)
    with RawStomp(octets) as client:
        client.connect()
        client.send(f"SUBSCRIBE\nid:s\ndestination:{topic}\n\n^@")
        body = "ü€😀" * 40_000
        data = f"SEND\ndestination:{topic}\n\n{body}\0".encode()
        pieces = [data[start : start + 1_001] for start in range(0, len(data), 1_001)]
        for number, piece in enumerate(pieces):
            octets.send_message(piece, 0x1 if number == 0 else 0x0, final=number == len(pieces) - 1)
        assert body.encode() == client.expect("MESSAGE").body


def test_a_body_of_sixteen_mebibytes_passes_where_the_limit_allows(tmp_path_factory: pytest.TempPathFactory) -> None:
    size = 16 * 1024 * 1024
    limits = Limits(body_bytes=size, outbox_bytes=2 * size)
    with RunningHub(tmp_path_factory.mktemp("hub"), limits=limits) as hub, tcp(hub.stomp_port) as client:
        client.connect()
        client.send("SUBSCRIBE\nid:s\ndestination:/topic/large\n\n^@")
        body = bytes(range(256)) * (size // 256)
        client.octets.send(b"SEND\ndestination:/topic/large\ncontent-length:%d\n\n" % size + body + b"\0")
        assert isinstance(client.octets, TcpOctets)
        assert body == client.expect("MESSAGE").body
        client.send(f"SEND\ndestination:/topic/large\ncontent-length:{size + 1}\n\n")
        client.expect_error("Body too large")


def test_a_body_over_the_limit_is_refused_by_its_header_and_by_its_bytes(dial: Dial) -> None:
    limit = 1024 * 1024
    announced, silent = dial(), dial()
    announced.connect()
    announced.send(f"SEND\ndestination:/topic/a\nreceipt:r\ncontent-length:{limit + 1}\n\n")
    announced.expect_error("Body too large", receipt_id="r")
    silent.connect()
    silent.send("SEND\ndestination:/topic/a\nreceipt:r\n\n" + "x" * (limit + 1))
    silent.expect_error("Body too large", receipt_id="r")
