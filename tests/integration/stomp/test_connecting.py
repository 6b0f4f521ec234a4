"""Opening a connection: versions, CONNECT's headers, subprotocols, logins, and what may not come before."""

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.app import HubApp
from hub.errors import HubError, PortInUseError
from hub.http.peers import is_loopback
from hub.processes.ports import is_free
from hub.refusal import Refusal
from hub.settings.model import HttpSettings, HubSettings, StompSettings, UserSettings
from hub.transports.burst_websocket import BurstProtocol
from hub.transports.door import DoorStream
from hub.transports.websocket import StompWebSocketHandler
from tests.support.hub import RunningHub
from tests.support.ports import free_port
from tests.support.raw_stomp import RawStomp, WebSocketOctets, tcp, websocket

Dial = Callable[[], RawStomp]


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (None, "1.0"),
        ("1.0", "1.0"),
        ("1.1", "1.1"),
        ("1.2", "1.2"),
        ("1.2,1.1,1.0", "1.2"),
        ("1.0, 1.1", "1.1"),
        ("1.1,2.0", "1.1"),
    ],
)
@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_the_highest_common_version_is_chosen(dial: Dial, command: str, asked: str | None, version: str) -> None:
    client = dial()

    client.send(f"{command}\n" + (f"accept-version:{asked}\n" if asked else "") + "heart-beat:0, 0\nhost:any\n\n^@")

    connected = client.expect("CONNECTED", version=version)
    assert {"version", "heart-beat", "session", "server"} == set(connected.headers)
    assert not [line for line in connected.lines if "\\" in line or ": " in line]


@pytest.mark.parametrize("asked", ["2.0", "", "rubbish"])
def test_no_common_version_is_answered_with_those_that_there_are(dial: Dial, asked: str) -> None:
    client = dial()

    client.send(f"CONNECT\naccept-version:{asked}\n\n^@")

    error = client.expect_error("Version mismatch")
    assert {"version": "1.0,1.1,1.2", "content-type": "text/plain"}.items() <= error.headers.items()
    assert b"1.0,1.1,1.2" in error.body


def test_a_server_name_is_not_asked_for_and_any_is_taken(dial: Dial) -> None:
    client = dial()
    client.connect("1.2", "host:another.example")


def test_a_receipt_on_connect_is_ignored(dial: Dial) -> None:
    client = dial()
    client.connect("1.1", "receipt:r0", "client-id:x")
    assert [] == client.round_trip()


@pytest.mark.parametrize("beat", ["1", "1,2,3", "-1,0", "a,b", "1.5,0"])
def test_a_malformed_heart_beat_is_an_error(dial: Dial, beat: str) -> None:
    client = dial()
    client.send(f"CONNECT\naccept-version:1.2\nheart-beat:{beat}\n\n^@")
    client.expect_error("Bad heart-beat")


@pytest.mark.parametrize("frame", ["SEND\ndestination:/topic/a\nreceipt:r\n\nx^@", "DISCONNECT\n\n^@", "BEGIN\n\n^@"])
def test_nothing_is_done_before_connect(hub: RunningHub, dial: Dial, frame: str) -> None:
    before = hub.look(lambda app: app.broker.counters.messages_in)
    client = dial()

    client.send(frame)

    client.expect_error("Not connected")
    assert before == hub.look(lambda app: app.broker.counters.messages_in)


@pytest.mark.parametrize(
    "frame", ["MESSAGE", "CONNECTED", "RECEIPT", "ERROR", "send", "GET / HTTP/1.1", "\x16\x03\x01"]
)
def test_what_is_not_a_command_of_clients_is_an_error(dial: Dial, frame: str) -> None:
    client = dial()
    client.send(f"{frame}\n\n^@")
    client.expect_error("Unknown command")


def test_a_second_connect_is_an_error(dial: Dial) -> None:
    client = dial()
    client.connect()
    client.send("CONNECT\naccept-version:1.2\n\n^@")
    client.expect_error("Already connected")


def test_what_is_pipelined_behind_connect_is_done_in_order(dial: Dial) -> None:
    client = dial()
    send = "SEND\ndestination:/topic/pipelined\nreceipt:{}\n\n^@"

    client.send("CONNECT\naccept-version:1.2\n\n^@" + "".join(send.format(number) for number in range(100)))

    client.expect("CONNECTED", version="1.2")
    assert [str(number) for number in range(100)] == [
        client.expect("RECEIPT").headers["receipt-id"] for _ in range(100)
    ]


def test_the_opening_budget_counts_what_comes_before_connect_is_complete(hub: RunningHub) -> None:
    """However TCP cuts it: more than 8 KiB behind CONNECT is nobody's fault, more before it is."""
    with tcp(hub.stomp_port) as client:
        client.send("CONNECT\naccept-version:1.2\n\n^@SEND\ndestination:/topic/a\nreceipt:r\n\n" + "x" * 20_000 + "^@")
        client.expect("CONNECTED")
        client.expect("RECEIPT", receipt_id="r")


@pytest.mark.parametrize("rubbish", ["\n" * 8_200, "CONNECT\n" + "a:b\n" * 2_050])
def test_more_than_the_opening_budget_before_connect_is_an_error(hub: RunningHub, rubbish: str) -> None:
    with tcp(hub.stomp_port) as client:
        client.send(rubbish)
        client.expect_error("Too much before CONNECT")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("v12.stomp, v11.stomp, v10.stomp", "v12.stomp"),
        ("v10.stomp, v11.stomp", "v11.stomp"),
        ("other, v10.stomp", "v10.stomp"),
        ("other", None),
        ("", None),
    ],
)
def test_the_highest_known_subprotocol_is_answered_and_none_that_was_not_offered(
    hub: RunningHub, offered: str, chosen: str | None
) -> None:
    octets = WebSocketOctets(hub.port, subprotocols=offered)
    with RawStomp(octets) as client:
        assert (101, chosen) == (octets.status, octets.response.get("sec-websocket-protocol"))
        client.connect("1.2")


def test_what_lives_as_long_as_a_connection_keeps_its_fields_in_the_objects(hub: RunningHub) -> None:
    """Past thirty fields Python makes a dictionary for each object: 1.3 KiB for each connection."""

    def sizes(_: HubApp) -> list[int]:
        kinds = (StompWebSocketHandler, BurstProtocol, DoorStream)
        return [sys.getsizeof(vars(one)) for one in gc.get_objects() if isinstance(one, kinds)]

    with websocket(hub.port) as client:
        client.connect()
        found = hub.look(sizes)
        assert len(found) >= 3
        assert max(found) < 400


def test_pages_of_other_origins_are_refused(hub: RunningHub) -> None:
    octets = WebSocketOctets(hub.port, origin="https://evil.example")
    assert 403 == octets.status
    octets.close()


@pytest.fixture(scope="module")
def guarded_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that knows one user, whose passcode holds what other servers un-escape."""
    users = (UserSettings.model_validate({"name": "ann", "password": "s3cr:et\\c"}),)
    with RunningHub(tmp_path_factory.mktemp("hub"), users=users) as running:
        yield running


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_login_and_passcode_are_taken_as_they_stand(guarded_hub: RunningHub, version: str) -> None:
    with tcp(guarded_hub.stomp_port) as client:
        client.connect(version, "login:ann", "passcode:s3cr:et\\c")


@pytest.mark.parametrize(
    "headers", ["login:ann\npasscode:wrong\n", "login:ann\n", "login:bob\npasscode:\n", "login:\npasscode:\n", ""]
)
def test_a_wrong_login_gets_one_error_without_detail_and_a_close(guarded_hub: RunningHub, headers: str) -> None:
    octets = WebSocketOctets(guarded_hub.port)
    with RawStomp(octets) as client:
        client.send(f"CONNECT\naccept-version:1.2\n{headers}\n^@SEND\ndestination:/topic/a\n\n^@")

        error = client.expect_error("Bad CONNECT")

        assert b"login or passcode is wrong" == error.body
        assert 1008 == octets.close_code


@pytest.mark.parametrize(
    ("address", "served"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False),
     ("fe80::1%eth0", False), ("::ffff:192.0.2.1", False), ("localhost.example", False)],
)  # fmt: skip
def test_without_users_only_this_machine_is_served(hub: RunningHub, address: str, served: bool) -> None:
    """By the address of the peer's socket, which a test cannot make: the check is asked itself."""
    loopback = is_loopback(address)
    assert served is loopback
    if served:
        hub.look(lambda app: app.services.shared.logins.admit({}, loopback=loopback))
    else:
        with pytest.raises(Refusal, match="Bad CONNECT"):
            hub.look(
                lambda app: app.services.shared.logins.admit({"login": "ann", "passcode": "any"}, loopback=loopback)
            )


def test_a_hub_for_others_does_not_start_without_users(tmp_path: Path) -> None:
    async def start() -> None:
        await HubApp(HubSettings(data_dir=tmp_path, http=HttpSettings(host="0.0.0.0", port=0))).start()

    with pytest.raises(HubError, match="users"):
        asyncio.run(start())


# Tornado's bind_sockets leaves the one socket open that it could not bind.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_hub_that_cannot_open_all_its_ports_opens_none(tmp_path: Path) -> None:
    port = free_port()

    async def start(taken: int) -> None:
        http, stomp = HttpSettings(port=port), StompSettings(port=taken)
        await HubApp(HubSettings(data_dir=tmp_path, http=http, stomp=stomp)).start()

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortInUseError, match="STOMP"):
        asyncio.run(start(taken.getsockname()[1]))
    gc.collect()
    assert is_free(port)


def test_a_binary_first_message_is_mirrored(hub: RunningHub) -> None:
    """React Native cuts text messages at NUL; its clients begin with a binary message."""
    with websocket(hub.port) as client:
        octets = client.octets
        assert isinstance(octets, WebSocketOctets)
        octets.send_message(b"CONNECT\naccept-version:1.2\n\n\0", 0x2)
        client.expect("CONNECTED")
        client.round_trip()
        assert {0x2} == set(octets.opcodes)
