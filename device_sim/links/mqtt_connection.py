"""One MQTT connection: PUBLISHes by message id until their PUBACK; sent again with DUP on the next connection.

A device sends one message at a time and gets one PUBACK, thousands of devices a second, and the system calls alone cost
17 cpu-us. So these two paths touch nothing but this object and its socket; paho comes in for everything else.
"""

import socket
import ssl
import time
from collections.abc import Sequence

from device_sim.links.connection import State
from device_sim.links.device_connection import Bounds, DeviceConnection, DeviceEvents
from device_sim.links.identity import MqttIdentity
from device_sim.links.reactor import Reactor
from device_sim.message import Message
from hub.clients.mqtt_client import Accepted, Granted, MqttClient
from hub.clients.mqtt_packets import publish_packet
from hub.clients.mqtt_parser import FIRST_FAILURE, PUBACK, Puback, Publish

# A broker that takes messages and never acknowledges (its disk full, its store stuck) is left and tried again: MQTT
# resends only on a new connection (MQTT-4.4.0-1).
ACK_DEADLINE_S = 30.0
LAST_MID = 65_535
READ_BYTES = 16_384
"""At least a TLS record (RFC 8446, section 5.1), so that none is left in the TLS layer while the socket looks empty."""
_now = time.monotonic
_UP = State.UP  # Python 3.11 takes longer to find a member of an Enum than to compare it


class MqttConnection(DeviceConnection):
    """Implements `hub.clients.mqtt_client.ClientOwner`."""

    __slots__ = ("_blocked", "_client", "_mid", "_properties", "_torn", "_unacknowledged", "_wrote_at")

    def __init__(
        self, source: int, identity: MqttIdentity, reactor: Reactor, events: DeviceEvents, bounds: Bounds
    ) -> None:
        super().__init__(source, identity.address, identity.tls, reactor, events, bounds)
        self._client = MqttClient(identity.login, self)
        self._properties = b"" if identity.login.mqtt5 else None
        self._unacknowledged: dict[int, Message] = {}  # by message id, in the order of sending
        self._mid = 0
        self._blocked = False  # paho has bytes that the socket did not take
        self._torn = False  # the client has the beginning of a packet
        self._wrote_at = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._unacknowledged)

    def send_one(self, message: Message) -> None:
        unacknowledged = self._unacknowledged
        if (
            self._held
            or self._blocked
            or not message.qos
            or len(unacknowledged) >= self._bounds.window
            or self.state is not _UP
        ):
            self.send((message,))
            return
        self._wrote_at = _now()
        if not unacknowledged:
            self._acked_at = self._wrote_at
        mid = self._mid = self._mid % LAST_MID + 1
        if mid in unacknowledged:
            mid = self._free_mid()
        unacknowledged[mid] = message
        packet = publish_packet(mid, message.topic, message.payload, retain=message.retain, properties=self._properties)
        try:
            sent = self._sock.send(packet)  # type: ignore[union-attr]  # there is one while the state is UP
        except (OSError, ValueError):
            sent = 0  # full, or lost: paho meets the same and knows what to make of it
        if sent != len(packet):
            self._client.queue(packet[sent:])

    def pubacks(self, pubacks: list[Puback]) -> None:
        self._acked_at = _now()
        pop = self._unacknowledged.pop
        taken: list[Message] = []
        refused: list[Message] = []
        for mid, code in pubacks:
            if (message := pop(mid, None)) is not None:
                (refused if code >= FIRST_FAILURE else taken).append(message)
        if taken:
            self._events.acknowledged(taken)
        if refused:
            self._events.given_up(refused, "refused")
        if self._held and self.state is State.UP:
            self._send_held()

    def accepted(self, connack: Accepted) -> None:  # noqa: ARG002
        self._accepted()

    def refused(self, reason: str, *, version: bool) -> None:
        """Do nothing: `lost` says it again."""

    def subscribed(self, granted: Sequence[Granted]) -> None:
        """Do nothing: we never subscribe."""

    def messages(self, burst: list[Publish]) -> None:
        """Do nothing: we never subscribe."""

    def too_large(self, topic: bytes, size: int) -> None:
        """Do nothing: we never subscribe."""

    def wait_to_write(self, *, wanted: bool) -> None:
        self._blocked = wanted
        super().wait_to_write(wanted=wanted)

    def socket_closing(self) -> None:
        self._blocked = self._torn = False
        super().socket_closing()

    def _greet(self, sock: socket.socket) -> None:
        self._wrote_at = _now()
        self._watch_with(self._read, self._client.loop_write)
        will = self._events.will(self._source) if self._again else self._will
        if will is None:
            self._client.will_clear()
        else:
            self._client.will_set(will.topic, will.payload, will.qos, will.retain)
        self._client.connect_over(sock)

    def _say_goodbye(self) -> None:
        self._client.disconnect()

    def _drop(self, *, reset: bool) -> None:
        self._client.drop(reset=reset)

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)  # type: ignore[union-attr]  # it is watched, so it is there
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if not data:
            self._client.loop_read()  # lost: the client meets the same and knows what to make of it
            return
        if self._torn or len(data) != 4 or data[0] != PUBACK or data[1] != 2:
            self._torn = self._client.take(data)
            return
        self._acked_at = _now()
        message = self._unacknowledged.pop(data[2] << 8 | data[3], None)
        if message is not None:
            self._events.one_acknowledged(message)
        if self._held and self.state is State.UP:
            self._send_held()

    def _look_after(self) -> float:
        self._client.wrote(self._wrote_at)
        if self._acked_at > self._wrote_at:
            self._client.heard(self._acked_at)
        self._client.loop_misc()
        if self.state is State.UP and self._unacknowledged and _now() - self._acked_at > ACK_DEADLINE_S:
            self._give_up()
            self._try_again("connection_lost", f"no acknowledgement for {ACK_DEADLINE_S:.0f} s")
        return self._client.check_due_s()

    def _transmit(self, messages: Sequence[Message]) -> None:
        if not self._unacknowledged:
            self._acked_at = _now()
        packets = []
        for message in messages:
            mid = 0
            if message.qos:
                mid = self._free_mid()
                self._unacknowledged[mid] = message
            packets.append(self._packet(mid, message, again=False))
        self._client.send_packets(b"".join(packets))
        if unanswered := [message for message in messages if not message.qos]:
            self._events.given_up(unanswered, "qos_0")

    def _transmit_again(self, first: Sequence[Message]) -> None:
        again = [self._packet(mid, message, again=True) for mid, message in self._unacknowledged.items()]
        if first:
            self._transmit(first)
        if again:
            self._client.send_packets(b"".join(again))

    def _forget_births(self) -> list[Message]:
        births = {mid: message for mid, message in self._unacknowledged.items() if message.birth}
        for mid in births:
            del self._unacknowledged[mid]
        return list(births.values())

    def _packet(self, mid: int, message: Message, *, again: bool) -> bytes:
        return publish_packet(
            mid,
            message.topic,
            message.payload,
            again=again,
            qos=message.qos,
            retain=message.retain,
            properties=self._properties,
        )

    def _free_mid(self) -> int:
        while True:
            self._mid = self._mid % LAST_MID + 1
            if self._mid not in self._unacknowledged:
                return self._mid
