"""paho-mqtt for a fleet: many publishes in one write, many PUBACKs in one read. The only module that imports paho.

Stock paho spends a condition variable, a system call and some 25 us on each publish, and three system calls and a
`Properties` object on each PUBACK (performance reference, 3.1). This subclass keeps paho's connection, keep-alive and
packet parser, and takes three shortcuts: `publish_burst` writes ready-made PUBLISH packets as one buffer; `take` handles
what one read gave and hands all PUBACKs over as one list of message ids; what paho would tell through a callback object
for each client goes to the owner's methods. paho's own queue of unacknowledged messages is not used;
`mqtt_connection.MqttConnection` keeps them.

Rules: QoS 1 at most, an external loop drives it (no paho thread, no socket pair): a client weighs 4.5 KiB. It overrides
private names of paho 2.2, pinned in pyproject.toml; `tests/integration/device_sim/test_mqtt_link.py` fails when they move.
"""

import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from device_sim.links.mqtt_identity import MqttIdentity
from device_sim.links.mqtt_packets import FIRST_FAILURE, take_pubacks
from device_sim.message import Will

READ_BYTES = 16_384


class ClientOwner(Protocol):
    """What a client tells; all of it on the loop, from within the client's own methods."""

    def pubacks(self, taken: Sequence[int], refused: Sequence[int]) -> None:
        """The broker took, or will not take, the messages with these ids."""
        ...

    def accepted(self) -> None:
        """CONNACK came and says yes."""
        ...

    def lost(self, problem: str) -> None:
        """The socket is closed, by whom ever; "" after our own DISCONNECT."""
        ...

    def wait_to_write(self, *, wanted: bool) -> None:
        """Octets wait, or no longer wait, for the socket to take them."""
        ...

    def socket_closing(self) -> None:
        """The socket is about to be closed: nobody may watch it from now on."""
        ...


# paho keeps messages of its own in two OrderedDicts a client, 0.8 KiB; here they stay empty, so all share one.
_NO_MESSAGES: OrderedDict[int, paho.MQTTMessage] = OrderedDict()


class BurstClient(paho.Client):
    """A paho client without a thread; the owner calls `take`, `loop_write` and `loop_misc`."""

    def __init__(self, identity: MqttIdentity, owner: ClientOwner) -> None:
        self._v5 = identity.version == 5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=identity.client_id,
            protocol=paho.MQTTv5 if self._v5 else paho.MQTTv311,
            # We keep what is unacknowledged ourselves and subscribe to nothing.
            clean_session=None if self._v5 else True,
            reconnect_on_failure=False,
        )
        self._out_messages = self._in_messages = _NO_MESSAGES
        if identity.username is not None:
            self.username_pw_set(identity.username, identity.password)
        self._owner = owner
        self._refusal = ""
        self._keepalive_s = identity.keepalive_s
        self._pubacks: list[int] = []
        self._refused: list[int] = []
        self._ready_socket: socket.socket | None = None
        self._received = b""
        self._position = 0
        self.on_connect = self._take_connack

    def connect_over(self, ready: socket.socket, host: str, port: int, will: Will | None) -> None:
        """Send CONNECT over a socket that is connected already: paho's own connect would block the event loop."""
        if will is None:
            self.will_clear()
        else:
            self.will_set(will.topic, will.payload, will.qos, will.retain)
        self._ready_socket = ready
        self._received, self._position = b"", 0
        self._refusal = ""
        self.connect(host, port, keepalive=self._keepalive_s)

    def drop(self, *, reset: bool = False) -> None:
        """Close the socket at once, without DISCONNECT and without telling `lost`; `reset` sends a TCP RST."""
        sock = self._sock
        if reset and isinstance(sock, socket.socket):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._out_packet.clear()
        self._sock_close()

    def check_due_s(self) -> float:
        """In how many seconds `loop_misc` has something to do: a PINGREQ, or to give up on its answer."""
        return min(self._last_msg_out, self._last_bytes_received) + self._keepalive_s - time.monotonic()

    def wrote(self, at: float) -> None:
        """Octets that paho did not see were written: that counts for its keep-alive."""
        self._last_msg_out = max(self._last_msg_out, at)

    def heard(self, at: float) -> None:
        """The same for what was read."""
        self._last_bytes_received = max(self._last_bytes_received, at)

    def publish_burst(self, packets: bytes) -> None:
        """Send PUBLISH packets: at once as far as the socket takes them, the rest when it is ready again."""
        sock = self._sock
        if sock is None:
            return  # lost within this very call: the owner sends what is unacknowledged again
        sent = 0
        if not self._out_packet:
            try:
                sent = sock.send(packets)
            except OSError:
                sent = 0  # full, or lost: loop_write meets the same and knows what to make of it
            self._last_msg_out = time.monotonic()
        if sent != len(packets):
            self.queue(packets[sent:])

    def queue(self, rest: bytes) -> None:
        """Have paho write these octets when the socket is ready; a memoryview, as it slices what a write left over."""
        self._packet_queue(paho.PUBLISH, memoryview(rest), 0, 1)  # type: ignore[arg-type]

    def take(self, data: bytes) -> bool:
        """Handle what was read from the socket, or what it has; say whether a packet was left torn."""
        self._received, self._position = data, 0
        code = self._read_packets()
        if self._pubacks or self._refused:
            taken, refused = self._pubacks, self._refused
            self._pubacks, self._refused = [], []
            self._owner.pubacks(taken, refused)
        return code == MQTTErrorCode.MQTT_ERR_AGAIN and self._in_packet["command"] != 0

    def _read_packets(self) -> MQTTErrorCode:
        while True:
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            self._take_pubacks()
            if self._received and self._position == len(self._received):
                self._received, self._position = b"", 0
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            code = self._packet_read()
            if code == MQTTErrorCode.MQTT_ERR_AGAIN:
                return code
            if code > 0:
                return self._loop_rc_handle(code)

    def _take_pubacks(self) -> None:
        """Consume the run of whole PUBACKs at the head of what was received."""
        if self._in_packet["command"] != 0:
            return  # in the middle of a packet that paho is reading
        position = take_pubacks(self._received, self._position, self._pubacks, self._refused)
        if position != self._position:
            self._position = position
            self._last_bytes_received = time.monotonic()

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """Take a PUBACK that two reads brought; without this, paho drops it as none of its own messages'."""
        if cmd == "PUBACK":
            packet = self._in_packet["packet"]
            refused = len(packet) > 2 and packet[2] >= FIRST_FAILURE
            (self._refused if refused else self._pubacks).append(int.from_bytes(packet[:2], "big"))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _take_connack(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"refused: {reason}"
        else:
            self._owner.accepted()

    def _do_on_disconnect(
        self, packet_from_broker: bool, v1_rc: MQTTErrorCode, reason: Any = None, properties: Any = None
    ) -> None:
        del properties
        problem = self._refusal
        if not problem and packet_from_broker:
            problem = f"disconnected by the broker: {reason}" if reason else "disconnected by the broker"
        elif not problem and v1_rc:
            keepalive = v1_rc == MQTTErrorCode.MQTT_ERR_KEEPALIVE
            problem = "no answer to PINGREQ" if keepalive else "closed the connection"
        self._owner.lost(problem)

    def _call_socket_open(self, sock: Any) -> None:
        """Nothing: the owner watches the socket that it gave."""

    def _call_socket_close(self, sock: Any) -> None:
        del sock
        self._owner.socket_closing()

    def _call_socket_register_write(self) -> None:
        if self._sock is not None and not self._registered_write:
            self._registered_write = True
            self._owner.wait_to_write(wanted=True)

    def _call_socket_unregister_write(self, sock: Any = None) -> None:
        del sock
        if self._registered_write:
            self._registered_write = False
            self._owner.wait_to_write(wanted=False)

    def _sock_recv(self, bufsize: int) -> bytes:
        """Serve paho's one-byte reads from what the last system call brought."""
        if self._position == len(self._received):
            self._received, self._position = super()._sock_recv(READ_BYTES), 0
        chunk = self._received[self._position : self._position + bufsize]
        self._position += len(chunk)
        return chunk

    def _create_socket_connection(self) -> socket.socket:
        ready, self._ready_socket = self._ready_socket, None
        if ready is None:
            raise OSError("paho wanted a connection of its own; MqttConnection opens them")
        return ready
