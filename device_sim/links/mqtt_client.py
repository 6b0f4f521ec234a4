"""paho-mqtt for a fleet: many publishes in one write, many PUBACKs in one read. The only module that imports paho.

Stock paho spends a condition variable, a system call and some 25 us on each publish, and three system calls and a
`Properties` object on each PUBACK (performance reference, 3.1). This subclass keeps paho's connection, keep-alive and
packet parser, and takes two shortcuts: `publish_burst` queues ready-made PUBLISH packets as one buffer, and `loop_read`
takes what the socket has and hands all PUBACKs over as one list of message ids. paho's own queue of unacknowledged
messages is not used; `mqtt.MqttConnection` keeps them.

Rules: protocol 3.1.1 (a PUBACK is four bytes), QoS 1, the event loop drives it (no paho thread). It overrides private
names of paho 2.2, pinned in pyproject.toml; `tests/integration/device_sim/test_mqtt_link.py` fails when they move.
"""

import socket
from collections.abc import Callable, Sequence
from typing import Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

READ_BYTES = 65_536
PUBLISH_QOS1 = 0x32
DUP = 0x08
PUBACK = 0x40
KEEPALIVE_S = 30


class BurstClient(paho.Client):
    """A paho client without a thread; the owner calls `loop_read`, `loop_write` and `loop_misc`."""

    def __init__(self, client_id: str, on_pubacks: Callable[[list[int]], None]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv311,
            clean_session=True,  # we keep what is unacknowledged ourselves and subscribe to nothing
            reconnect_on_failure=False,
        )
        self._on_pubacks = on_pubacks
        self._pubacks: list[int] = []
        self._ready_socket: socket.socket | None = None
        self._received = b""
        self._position = 0

    def connect_over(self, ready: socket.socket, host: str, port: int) -> None:
        """Send CONNECT over a socket that is connected already: paho's own connect would block the event loop."""
        self._ready_socket = ready
        self._received, self._position = b"", 0
        self.connect(host, port, keepalive=KEEPALIVE_S)

    def drop(self) -> None:
        """Close the socket at once, without DISCONNECT and without telling `on_disconnect`."""
        self._sock_close()

    def publish_burst(self, packets: Sequence[bytes]) -> None:
        """Queue PUBLISH packets as one buffer; a memoryview, as paho slices what a partial write left over."""
        self._packet_queue(paho.PUBLISH, memoryview(b"".join(packets)), 0, 1)  # type: ignore[arg-type]

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature; it ignores it too
        """Handle every packet that one read of the socket gives."""
        code = self._read_packets()
        if self._pubacks:
            pubacks, self._pubacks = self._pubacks, []
            self._on_pubacks(pubacks)
        return code

    def _read_packets(self) -> MQTTErrorCode:
        if self._position == len(self._received):
            try:
                self._received, self._position = super()._sock_recv(READ_BYTES), 0
            except OSError:
                # Nothing there, or lost: _packet_read below meets the same and knows what to make of it.
                self._received, self._position = b"", 0
        while True:
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            self._take_pubacks()
            if self._received and self._position == len(self._received):
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            code = self._packet_read()
            if code == MQTTErrorCode.MQTT_ERR_AGAIN:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            if code > 0:
                return self._loop_rc_handle(code)

    def _take_pubacks(self) -> None:
        """Consume the run of whole PUBACKs at the head of what was received."""
        if self._in_packet["command"] != 0:
            return  # in the middle of a packet that paho is reading
        data, start, position = self._received, self._position, self._position
        last = len(data) - 4
        while position <= last and data[position] == PUBACK and data[position + 1] == 2:
            self._pubacks.append(data[position + 2] << 8 | data[position + 3])
            position += 4
        self._position = position
        if position != start:
            self._last_bytes_received = paho.time_func()

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """Take a PUBACK that two reads brought; without this, paho drops it as none of its own messages'."""
        if cmd == "PUBACK":
            self._pubacks.append(int.from_bytes(self._in_packet["packet"][:2], "big"))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

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


def publish_packet(mid: int, topic: str, payload: bytes, *, again: bool) -> bytes:
    """Encode one PUBLISH at QoS 1 (MQTT 3.1.1, section 3.3); `again` sets DUP."""
    topic_bytes = topic.encode()
    rest = len(topic_bytes) + 4 + len(payload)
    head = bytearray((PUBLISH_QOS1 | DUP if again else PUBLISH_QOS1,))
    while True:  # section 2.2.3: seven bits a byte, the eighth says that more follow
        rest, digit = rest >> 7, rest & 0x7F
        head.append(digit | 0x80 if rest else digit)
        if not rest:
            break
    head += len(topic_bytes).to_bytes(2, "big")
    head += topic_bytes
    head += mid.to_bytes(2, "big")
    head += payload
    return bytes(head)
