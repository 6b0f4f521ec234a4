"""The names of paho-mqtt 2.2 that hub/clients/mqtt_client.py overrides or uses, and those that it must not hit.

This fails when they move. What they do is held by tests/integration/bridge and tests/integration/device_sim, on the wire.
"""

import ast
import inspect
import socket
from collections.abc import Iterator

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from hub.clients.mqtt_client import Accepted, Granted, MqttClient, MqttLogin, puback_refusal
from hub.clients.mqtt_packets import puback_packets
from tests.unit.hub.clients.owner import Owner

OVERRIDDEN = {
    "__init__",
    "_call_socket_close",
    "_call_socket_open",
    "_call_socket_register_write",
    "_call_socket_unregister_write",
    "_create_socket",
    "_do_on_disconnect",
    "_loop_rc_handle",
    "loop_read",
}
"""Methods of paho's that we mean to replace."""
SET = {
    "_in_messages",
    "_in_packet",
    "_last_bytes_received",
    "_last_msg_out",
    "_out_messages",
    "_ping_t",
    "_registered_write",
    "on_connect",
    "on_subscribe",
}
"""Attributes of paho's that we mean to set."""


def names_in(owner: type) -> tuple[set[str], set[str]]:
    """Return what a class defines in its body, and the attributes of `self` that its methods set, at any time."""
    tree = ast.parse(inspect.getsource(owner))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    defined = {node.name for node in body.body if isinstance(node, ast.FunctionDef)}
    return defined, set(_set_on_self(body))


def _set_on_self(body: ast.AST) -> Iterator[str]:
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def test_no_name_of_ours_is_one_of_pahos_but_those_that_are_meant() -> None:
    defined, set_by_us = names_in(MqttClient)
    theirs = set(dir(paho.Client)) | set.union(*names_in(paho.Client)) | set(vars(stock()))

    assert defined & theirs == OVERRIDDEN
    assert set_by_us & theirs == SET


def test_every_name_of_pahos_that_is_used_exists() -> None:
    tree = ast.parse(inspect.getsource(MqttClient))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    ours = set.union(*names_in(MqttClient)) - OVERRIDDEN - SET

    missing = used - ours - set(dir(stock()))
    assert missing == set()


def stock() -> paho.Client:
    return paho.Client(CallbackAPIVersion.VERSION2)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("loop_read", "(self, max_packets: 'int' = 1) -> 'MQTTErrorCode'"),
        ("loop_write", "(self) -> 'MQTTErrorCode'"),
        ("loop_misc", "(self) -> 'MQTTErrorCode'"),
        ("reconnect", "(self) -> 'MQTTErrorCode'"),
        ("_create_socket", "(self) -> 'SocketLike'"),
        ("_sock_recv", "(self, bufsize: 'int') -> 'bytes'"),
        ("_sock_close", "(self) -> 'None'"),
        ("_loop_rc_handle", "(self, rc: 'MQTTErrorCode') -> 'MQTTErrorCode'"),
        ("_mid_generate", "(self) -> 'int'"),
        ("_packet_handle", "(self) -> 'MQTTErrorCode'"),
        (
            "_packet_queue",
            """(self, command: 'int', packet: 'bytes | bytearray', mid: 'int', qos: 'int', \
info: 'MQTTMessageInfo | None' = None) -> 'MQTTErrorCode'""",
        ),
        (
            "_do_on_disconnect",
            """(self, packet_from_broker: 'bool', v1_rc: 'MQTTErrorCode', reason: 'ReasonCode | None' = None, \
properties: 'Properties | None' = None) -> 'None'""",
        ),
        ("_call_socket_open", "(self, sock: 'SocketLike') -> 'None'"),
        ("_call_socket_close", "(self, sock: 'SocketLike') -> 'None'"),
        ("_call_socket_register_write", "(self) -> 'None'"),
        ("_call_socket_unregister_write", "(self, sock: 'SocketLike | None' = None) -> 'None'"),
    ],
)
def test_the_methods_have_the_signatures_that_are_relied_on(name: str, signature: str) -> None:
    assert str(inspect.signature(getattr(paho.Client, name))) == signature


def test_an_incoming_packet_has_the_fields_that_are_filled_in() -> None:
    client = MqttClient(MqttLogin("a"), Owner())
    before = set(client._in_packet)
    client._ping_t = 1.0

    assert client._take_packet(0xD0, b"") is False  # a PINGRESP; there is no socket
    assert set(client._in_packet) == before
    assert client._ping_t == 0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def connected(pair: tuple[socket.socket, socket.socket], *, mqtt5: bool = False) -> tuple[MqttClient, Owner]:
    """Return a client whose broker has accepted it."""
    ours, theirs = pair
    owner = Owner()
    client = MqttClient(MqttLogin("a", mqtt5=mqtt5), owner)
    client.connect_over(ours)
    assert theirs.recv(100)[:1] == b"\x10"
    theirs.sendall(b"\x20\x03\x00\x00\x00" if mqtt5 else b"\x20\x02\x00\x00")
    client.loop_read()
    assert owner.told == [Accepted(False, None, None)]
    owner.told.clear()
    return client, owner


def test_connect_goes_over_the_socket_that_is_given(pair: tuple[socket.socket, socket.socket]) -> None:
    client, _ = connected(pair)

    assert client.socket() is pair[0]


def test_packets_leave_as_one_write_and_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    client, _ = connected(pair)
    client.send_packets(puback_packets([b"\0\1", b"\0\2"]))

    assert pair[1].recv(100) == b"\x40\x02\0\1\x40\x02\0\2"


def test_what_the_socket_does_not_take_is_kept_and_sent_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    client, owner = connected(pair)
    sent = bytes(range(256)) * 40_000
    client.send_packets(sent)
    client.send_packets(b"end")
    assert owner.told == ["write"]
    assert client.unsent == 2
    got = b""
    pair[1].setblocking(False)
    while len(got) < len(sent) + 3:
        try:
            got += pair[1].recv(1 << 20)
        except BlockingIOError:
            client.loop_write()

    assert got == sent + b"end"
    assert owner.told == ["write", "written"]


def test_what_was_read_comes_as_lists(pair: tuple[socket.socket, socket.socket]) -> None:
    client, owner = connected(pair)
    pair[1].sendall(b"\x40\x02\0\1\x32\x06\0\1a\0\7x\x40\x02\0\2\x32\x06\0\1a\0\x08y")
    client.loop_read()

    assert owner.told == [
        [(b"\0\7", b"a", b"x", 0x32, b""), (b"\0\x08", b"a", b"y", 0x32, b"")],
        [(1, 0), (2, 0)],
    ]


@pytest.mark.parametrize("mqtt5", [False, True])
def test_the_answer_to_a_subscription_is_told(pair: tuple[socket.socket, socket.socket], mqtt5: bool) -> None:
    client, owner = connected(pair, mqtt5=mqtt5)
    client.subscribe_to(["a/#", "b"])
    mid = pair[1].recv(100)[2:4]
    pair[1].sendall(b"\x90" + (b"\x05" + mid + b"\0" if mqtt5 else b"\x04" + mid) + (b"\1\x87" if mqtt5 else b"\1\x80"))
    client.loop_read()

    [[first, second]] = owner.told
    assert isinstance(first, Granted)
    assert (first, second.qos) == (Granted(1, ""), 0x87 if mqtt5 else 0x80)
    assert second.refusal


def test_what_came_before_a_connection_broke_is_taken(pair: tuple[socket.socket, socket.socket]) -> None:
    client, owner = connected(pair)
    pair[1].sendall(b"\x32\x06\0\1a\0\7x")
    pair[1].close()
    client._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)  # as after a write that failed

    assert owner.told == [[(b"\0\7", b"a", b"x", 0x32, b"")], "closing", ("lost", "the broker closed the connection")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x34\x05\0\1aXX", "not MQTT: a PUBLISH at QoS 2"),
        (b"\xe0\x02\x8e\x00", "the broker says DISCONNECT: Session taken over"),
        (b"\x10\x00", "not MQTT"),
    ],
)
def test_the_end_says_why(pair: tuple[socket.socket, socket.socket], data: bytes, problem: str) -> None:
    client, owner = connected(pair, mqtt5=True)
    pair[1].sendall(data)
    client.loop_read()

    [closing, (lost, said)] = owner.told
    assert (closing, lost) == ("closing", "lost")
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "not MQTT: the port speaks TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n", "not MQTT: a web server answers, HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-Open", "not MQTT: the answer begins with 53 53 48 2d 32 2e 30 2d"),
        (b"\x32\x06\0\1a\0\7x", "not MQTT: the answer begins with 32 06 00 01 61 00 07 78"),
    ],
)
def test_an_answer_that_no_broker_gives_is_named(
    pair: tuple[socket.socket, socket.socket], data: bytes, problem: str
) -> None:
    ours, theirs = pair
    owner = Owner()
    client = MqttClient(MqttLogin("a"), owner)
    client.connect_over(ours)
    theirs.sendall(data)
    client.loop_read()

    assert owner.told == ["closing", ("lost", problem)]


def test_a_3_1_1_that_the_broker_does_not_speak_is_refused_as_such(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    owner = Owner()
    client = MqttClient(MqttLogin("a"), owner)
    client.connect_over(ours)
    theirs.sendall(b"\x20\x02\x00\x01")
    client.loop_read()

    reason = "the broker refuses the connection: Unsupported protocol version"
    assert owner.told == [("refused", reason, True), "closing", ("lost", reason)]


def test_a_good_bye_ends_without_a_problem(pair: tuple[socket.socket, socket.socket]) -> None:
    client, owner = connected(pair)
    client.disconnect()

    assert pair[1].recv(100) == b"\xe0\x00"
    assert sorted(map(str, owner.told)) == ["('lost', '')", "closing"]


def test_ids_of_packets_are_pahos_so_that_none_is_a_subscriptions(pair: tuple[socket.socket, socket.socket]) -> None:
    client, _ = connected(pair)
    client.subscribe_to(["a"])
    taken = int.from_bytes(pair[1].recv(100)[2:4], "big")

    assert client.next_packet_id() == taken + 1


def test_silence_is_excused_with_the_ping_that_waits_for_its_answer() -> None:
    client = MqttClient(MqttLogin("a"), Owner())
    client._ping_t = 1.0
    client._last_bytes_received = 0.0
    client.excuse_silence()

    assert (client._ping_t, client._last_bytes_received > 0) == (0.0, True)


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (0, None),
        (0x10, None),  # no subscriber: the broker has it all the same
        (0x87, "the broker refuses it: Not authorized"),
        (0x8C, "the broker refuses it: reason code 0x8c"),  # not one of a PUBACK
        (0xFE, "the broker refuses it: reason code 0xfe"),  # no reason code at all
    ],
)
def test_a_pubacks_reason_code_is_perhaps_a_refusal(code: int, refusal: str | None) -> None:
    assert puback_refusal(code) == refusal
