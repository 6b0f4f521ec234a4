"""The names of paho-mqtt 2.2 that bridge/mqtt/client.py overrides or uses: this fails when they move.

What they do is held by tests/integration/bridge, on the wire.
"""

import inspect
import socket
from collections.abc import Sequence

from bridge.mqtt.client import BurstClient
from bridge.mqtt.events import Granted
from bridge.mqtt.publishes import PublishParser
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode

from bridge.settings import BridgeSettings


class Deaf:
    """Events that nobody asks for."""

    def accepted(self, session_present: bool) -> None: ...
    def refused(self, reason: str, *, version: bool) -> None: ...
    def subscribed(self, granted: Sequence[Granted]) -> None: ...
    def ended(self, reason: str) -> None: ...
    def acknowledged(self, mid: int, refusal: str | None) -> bool:  # noqa: ARG002
        return False


def new_client() -> BurstClient:
    return BurstClient(BridgeSettings(), parser(), Deaf(), mqtt5=False)


def parser() -> PublishParser:
    return PublishParser(
        mqtt5=False,
        max_bytes=100,
        on_messages=lambda _: None,
        on_packet=lambda _first, _body: True,
        on_too_large=lambda _topic, _size: None,
    )


def test_the_methods_have_the_signatures_that_are_relied_on() -> None:
    signatures = {
        "loop_read": "(self, max_packets: 'int' = 1) -> 'MQTTErrorCode'",
        "loop_write": "(self) -> 'MQTTErrorCode'",
        "loop_misc": "(self) -> 'MQTTErrorCode'",
        "reconnect": "(self) -> 'MQTTErrorCode'",
        "_create_socket": "(self) -> 'SocketLike'",
        "_create_socket_connection": "(self) -> '_socket.socket'",
        "_sock_recv": "(self, bufsize: 'int') -> 'bytes'",
        "_sock_close": "(self) -> 'None'",
        "_loop_rc_handle": "(self, rc: 'MQTTErrorCode') -> 'MQTTErrorCode'",
        "_mid_generate": "(self) -> 'int'",
        "_send_publish": "(self, mid: 'int', topic: 'bytes', payload: 'bytes | bytearray' = b'', qos: 'int' = 0, "
        "retain: 'bool' = False, dup: 'bool' = False, info: 'MQTTMessageInfo | None' = None, "
        "properties: 'Properties | None' = None) -> 'MQTTErrorCode'",
        "_packet_handle": "(self) -> 'MQTTErrorCode'",
        "_packet_queue": "(self, command: 'int', packet: 'bytes | bytearray', mid: 'int', qos: 'int', "
        "info: 'MQTTMessageInfo | None' = None) -> 'MQTTErrorCode'",
    }

    assert {name: str(inspect.signature(getattr(paho.Client, name))) for name in signatures} == signatures


def test_an_incoming_packet_has_the_fields_that_are_filled_in() -> None:
    client = new_client()
    before = set(client._in_packet)
    client._ping_t = 1.0

    assert client.handle_packet(0xD0, b"") is False  # a PINGRESP; there is no socket
    assert set(client._in_packet) == before
    assert client._ping_t == 0


async def test_reconnect_opens_its_socket_through_the_overridden_method() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = new_client()
        client.connect_async("127.0.0.1", 1883)
        client.start(ours)
        client.loop_write()

        assert client.socket() is ours
        assert theirs.recv(100)[:1] == b"\x10"

        client._sock_close()


async def test_a_list_of_pubacks_leaves_as_one_packet() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = new_client()
        client.connect_async("127.0.0.1", 1883)
        client.start(ours)
        client.loop_write()
        theirs.recv(100)
        client.acknowledge([b"\0\1", b"\0\2"])
        client.loop_write()

        assert theirs.recv(100) == b"\x40\x02\0\1\x40\x02\0\2"

        client._sock_close()


async def test_a_command_leaves_with_a_packet_id_that_nobody_uses_and_its_repeat_with_the_same() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = new_client()
        client.connect_async("127.0.0.1", 1883)
        client.start(ours)
        client.loop_write()
        theirs.recv(100)
        status = client.publish("s", b"", 1).mid  # paho keeps this one: its id is taken
        client.loop_write()
        theirs.recv(100)
        client._last_mid = status - 1
        mid = client.publish_command(b"a/b", b"go", None, 0, lambda taken: taken == status + 1)
        client.publish_command(b"a/b", b"go", None, mid, lambda _: True)
        client.loop_write()

        assert mid == status + 2
        packet = b"\x09\0\x03a/b" + mid.to_bytes(2, "big") + b"go"
        assert theirs.recv(100) == b"\x32" + packet + b"\x3a" + packet

        client._sock_close()


def test_the_clock_and_the_state_that_are_set_exist() -> None:
    client = new_client()
    client.hear()

    assert client._last_bytes_received <= paho.time_func()
    assert client.unsent == 0
    assert client.loop_read() == MQTTErrorCode.MQTT_ERR_NO_CONN


def test_the_web_socket_handshake_is_made_by_the_wrappers_constructor() -> None:
    parameters = list(inspect.signature(paho._WebsocketWrapper).parameters)

    assert parameters == ["socket", "host", "port", "is_ssl", "path", "extra_headers"]
