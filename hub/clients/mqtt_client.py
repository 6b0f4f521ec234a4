"""The MQTT client of bridge and simulator: the one place that knows paho-mqtt.

What it is: a paho client, stock in CONNECT, SUBSCRIBE, keep-alive and DISCONNECT, that works on a socket which its owner
opened, takes what that socket has in one read, hands PUBLISHes and PUBACKs over as lists, and sends ready-made packets
(mqtt_packets.py) as one buffer. Stock paho spends a condition variable, a system call and some 25 us on each publish, and
three system calls on each packet that it reads. What is unacknowledged is its owner's to remember: paho's own store stays
empty. It does not connect itself again.

Rules: everything runs on the owner's event loop, nothing blocks, paho's thread and its socket pair are not used; QoS 1 at
most. Instead of a callback object for each client there are the owner's methods, which may not raise: a client weighs
4.5 KiB, and a simulator has thousands. The names of paho 2.2 that are overridden, used or must not be hit by
accident are held by tests/unit/hub/clients/test_paho_contract.py.
"""

import contextlib
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub.clients.mqtt_parser import FIRST_FAILURE, PUBACK, QOS_1, MqttProtocolError, PacketEvents, PacketParser

READ_BYTES: Final = 128 * 1024
CLOSED: Final = "the broker closed the connection"
# Of a broken connection 1 MiB is still taken: beyond that the bound on what is held counts more.
_RESCUE_READS: Final = 8
_UNSUPPORTED_VERSION: Final = 0x84
_CONNACK: Final = 0x20
_FIRST_PACKETS: Final = {_CONNACK, 0xE0, 0xF0}  # DISCONNECT, AUTH
_TLS_ALERT: Final = b"\x15\x03"  # RFC 8446, section 5.1
# The retained messages come with a new subscription only, not with each SUBSCRIBE (MQTT 5, 3.8.3.1). Retain As Published
# stays off: the flag says "old state, sent because of the subscription", as it does with 3.1.1. Devices that publish
# their live values with it (ESPHome, Homie, Shelly) could not be distinguished from that otherwise.
_IF_NEW: Final = 1
# paho wants a host even for a socket that is open already.
_HOST: Final = "broker"
# paho keeps messages of its own in two OrderedDicts a client, 0.8 KiB; here they stay empty, so all share one.
_NO_MESSAGES: Final[OrderedDict[int, paho.MQTTMessage]] = OrderedDict()


class Socket(Protocol):
    """What a client reads and writes; open, and owned by the client from then on."""

    def recv(self, buffer_size: int, /) -> bytes: ...
    def send(self, buffer: bytes | bytearray, /) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...


class MqttLogin(NamedTuple):
    """What CONNECT says, but for the will."""

    client_id: str
    username: str | None = None
    password: str | None = None
    mqtt5: bool = False
    keepalive_s: int = 30
    lasting: bool = False
    """Whether the broker keeps the session; with MQTT 5 for `session_expiry_s`."""
    session_expiry_s: int = 0
    receive_maximum: int | None = None
    """How many PUBLISHes without a PUBACK we take (MQTT 5)."""


class Accepted(NamedTuple):
    """What CONNACK says; the limits are MQTT 5's, where a broker may say nothing too (3.2.2.3)."""

    session_present: bool
    receive_maximum: int | None
    packet_bytes: int | None


class Granted(NamedTuple):
    """The broker's answer to one filter."""

    qos: int
    refusal: str
    """Empty when it was granted."""


class ClientOwner(PacketEvents, Protocol):
    """What a client reports, on the loop and from within the client's own methods."""

    def accepted(self, connack: Accepted) -> None:
        """Begin: the broker takes us."""

    def refused(self, reason: str, *, version: bool) -> None:
        """Note why the broker does not; `version` when it does not speak ours. `lost` follows."""

    def subscribed(self, granted: Sequence[Granted]) -> None:
        """Take the answer to `subscribe_to`, for each filter in order."""

    def lost(self, problem: str) -> None:
        """Note that the connection has ended, and why; "" after our own DISCONNECT."""

    def wait_to_write(self, *, wanted: bool) -> None:
        """Watch for room in the socket, or stop that."""

    def socket_closing(self) -> None:
        """Stop watching the socket: it is about to be closed."""


class MqttClient(paho.Client):
    """A paho client without a thread; its owner calls `take` or `loop_read`, `loop_write` and `loop_misc`."""

    def __init__(self, login: MqttLogin, owner: ClientOwner, *, max_bytes: int = READ_BYTES) -> None:
        """Prepare it; the payload of a PUBLISH above `max_bytes` is skipped."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=None if login.mqtt5 else not login.lasting,
            protocol=MQTTProtocolVersion.MQTTv5 if login.mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if login.username is not None:
            self.username_pw_set(login.username, login.password)
        self._out_messages = self._in_messages = _NO_MESSAGES
        self._login = login
        self._owner = owner
        self._parser = PacketParser(owner, self._take_packet, mqtt5=login.mqtt5, max_bytes=max_bytes)
        self._opened: Socket | None = None
        self._reads = 1
        self._rescuing = False
        self._greeted = False  # the first bytes came
        self._reason = ""
        self.on_connect = self._take_connack

    def connect_over(self, opened: Socket, *, reads: int = 1) -> None:
        """Send CONNECT over a socket that is open; `loop_read` reads it `reads` times (TLS returns 16 KiB at most)."""
        login = self._login
        properties = None
        if login.mqtt5 and (login.lasting or login.receive_maximum is not None):
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            if login.receive_maximum is not None:
                properties.ReceiveMaximum = login.receive_maximum
            # clean_start=False alone keeps nothing: an absent expiry means 0 (MQTT 5, 3.1.2.11.2).
            properties.SessionExpiryInterval = login.session_expiry_s if login.lasting else 0
        self._opened, self._reads, self._reason, self._greeted = opened, reads, "", False
        self._parser.reset()
        self.connect_async(_HOST, keepalive=login.keepalive_s, clean_start=not login.lasting, properties=properties)
        self.reconnect()
        self._in_messages = _NO_MESSAGES  # paho made itself a new one

    def drop(self, *, reset: bool = False) -> None:
        """Close the socket at once, without DISCONNECT and without calling `lost`; `reset` sends a TCP RST."""
        sock = self._sock
        if reset and isinstance(sock, socket.socket):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._out_packet.clear()
        self._sock_close()

    # Keep-alive.

    def check_due_s(self) -> float:
        """Return in how many seconds `loop_misc` has something to do: a PINGREQ, or giving up on its answer."""
        return min(self._last_msg_out, self._last_bytes_received) + self._keepalive - time.monotonic()

    def wrote(self, at: float) -> None:
        """Note that bytes left which paho did not see: that counts for its keep-alive."""
        self._last_msg_out = max(self._last_msg_out, at)

    def heard(self, at: float) -> None:
        """Note the same for what was read."""
        self._last_bytes_received = max(self._last_bytes_received, at)

    def excuse_silence(self) -> None:
        """Count the broker as heard from: while reading is paused, its PINGRESPs wait unread."""
        self._ping_t = 0.0
        self.heard(time.monotonic())

    # Out.

    def send_packets(self, packets: bytes) -> None:
        """Send whole packets: what the socket takes at once, the rest when it is ready again."""
        sock = self._sock
        if sock is None:
            return  # lost within this very call: the owner sends what is unacknowledged again
        sent = 0
        if not self._out_packet:
            with contextlib.suppress(OSError):  # full, or lost: loop_write meets the same and knows what to make of it
                sent = sock.send(packets)
            self._last_msg_out = time.monotonic()
        if sent != len(packets):
            self.queue(packets[sent:])

    def queue(self, rest: bytes) -> None:
        """Have paho write these bytes when the socket is ready; a memoryview, as it slices what a write left over."""
        self._packet_queue(PUBACK, memoryview(rest), 0, 1)  # type: ignore[arg-type]

    @property
    def unsent(self) -> int:
        """Packets that the socket did not take yet."""
        return len(self._out_packet)

    def next_packet_id(self) -> int:
        """Return one of those that SUBSCRIBE and PUBLISH share; they repeat after 65,535."""
        return self._mid_generate()

    def subscribe_to(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 1 and never 2, with which paho confirms a message before it is handed over."""
        self.on_subscribe = self._take_suback
        if self._login.mqtt5:
            options = SubscribeOptions(QOS_1 >> 1, retainHandling=_IF_NEW)
            self.subscribe([(text, options) for text in filters])
        else:
            self.subscribe([(text, QOS_1 >> 1) for text in filters])

    # In.

    def take(self, data: bytes) -> bool:
        """Handle what was read from the socket; say whether a packet was left torn."""
        self._last_bytes_received = time.monotonic()
        if not self._greeted:
            self._greeted = True
            self._reason = _stranger(data)
            if self._reason:
                self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
                return False
        try:
            self._parser.feed(data)
        except MqttProtocolError as error:
            self._reason = f"not MQTT: {error}"
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        return self._parser.torn

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Read what the socket has, and handle all of it."""
        for _ in range(self._reads):
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            try:
                data = self._sock_recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._reason = _said_by(error)
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            if not data:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            self.take(data)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _loop_rc_handle(self, rc: MQTTErrorCode) -> MQTTErrorCode:
        """Take what came before the connection broke, then let paho end it: a broker that was killed cannot repeat it."""
        if rc == MQTTErrorCode.MQTT_ERR_CONN_LOST and not self._rescuing and self._sock is not None:
            self._rescuing = True
            try:
                for _ in range(_RESCUE_READS):
                    if not (data := self._sock_recv(READ_BYTES)):
                        break
                    self._parser.feed(data)
            except (OSError, MqttProtocolError) as error:
                self._reason = self._reason or _said_by(error)
            finally:
                self._rescuing = False
            if self.socket() is None:
                return rc  # what was rescued ended it: it says why better
        return super()._loop_rc_handle(rc)

    def _take_packet(self, first: int, body: bytes) -> bool:
        """Let paho handle a packet that is neither PUBLISH nor PUBACK; say whether the connection goes on."""
        self._in_packet = {
            "command": first,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "to_process": 0,
            "pos": 0,
        }
        try:
            rc = self._packet_handle()
        except MalformedPacket as error:
            raise MqttProtocolError(f"a packet of type {first >> 4}: {error}") from None
        if rc == MQTTErrorCode.MQTT_ERR_PROTOCOL and not self._reason:
            if first == _CONNACK:  # paho says nothing of a 3.1.1 that is refused
                self._reason = "the broker refuses the connection: Unsupported protocol version"
                self._owner.refused(self._reason, version=True)
            else:
                self._reason = f"not MQTT: a packet of type {first >> 4} from a broker"
        if rc > 0:
            self._loop_rc_handle(rc)
        return self._sock is not None

    def _take_connack(
        self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode, properties: object
    ) -> None:
        if code.is_failure:
            self._reason = f"the broker refuses the connection: {code}"
            self._owner.refused(self._reason, version=code.value == _UNSUPPORTED_VERSION)
        else:
            receive_maximum = getattr(properties, "ReceiveMaximum", None)
            packet_bytes = getattr(properties, "MaximumPacketSize", None)
            self._owner.accepted(Accepted(flags.session_present, receive_maximum, packet_bytes))

    def _take_suback(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        self._owner.subscribed([Granted(code.value, str(code) if code.is_failure else "") for code in codes])

    def _do_on_disconnect(
        self, packet_from_broker: bool, v1_rc: MQTTErrorCode, reason: Any = None, properties: Any = None
    ) -> None:
        del properties
        problem = self._reason
        if packet_from_broker:
            problem = f"the broker says DISCONNECT: {reason}"
        elif not problem and v1_rc == MQTTErrorCode.MQTT_ERR_KEEPALIVE:
            problem = "no answer to PINGREQ"
        elif not problem and v1_rc:
            problem = CLOSED
        self._owner.lost(problem)

    # The socket.

    def _create_socket(self) -> Socket:
        opened, self._opened = self._opened, None
        if opened is None:
            raise ConnectionError("paho wanted a connection of its own; the owner opens them")
        return opened

    def _call_socket_open(self, sock: Socket) -> None:
        """Do nothing: the owner watches the socket that it opened."""

    def _call_socket_close(self, sock: Socket) -> None:
        del sock
        self._owner.socket_closing()

    def _call_socket_register_write(self) -> None:
        if self._sock is not None and not self._registered_write:
            self._registered_write = True
            self._owner.wait_to_write(wanted=True)

    def _call_socket_unregister_write(self, sock: Socket | None = None) -> None:
        del sock
        if self._registered_write:
            self._registered_write = False
            self._owner.wait_to_write(wanted=False)


def _said_by(error: Exception) -> str:
    """Return what an error says beyond that the connection is closed."""
    return "" if isinstance(error, (ConnectionError, BlockingIOError)) else str(error)


def _stranger(data: bytes) -> str:
    """Return who answers, if it is no broker: that begins with CONNACK, or ends at once (MQTT 3.1.1, 3.2; MQTT 5, 4.13)."""
    if data[0] in _FIRST_PACKETS:
        return ""
    if data[:2] == _TLS_ALERT:
        return "not MQTT: the port speaks TLS"
    if data.startswith(b"HTTP/"):
        return f"not MQTT: a web server answers, {data[:40].splitlines()[0].decode('ascii', 'replace')}"
    return f"not MQTT: the answer begins with {data[:8].hex(' ')}"


def puback_refusal(code: int) -> str | None:
    """Return why the broker does not take a message, by its PUBACK's reason code; None when it does (MQTT 5, 3.4.2.1)."""
    if code < FIRST_FAILURE:
        return None
    try:
        return f"the broker refuses it: {ReasonCode(PacketTypes.PUBACK, identifier=code)}"
    except (KeyError, ValueError):  # paho knows no name for it, or none for this packet
        return f"the broker refuses it: reason code {code:#x}"
