"""The broker's side: the one place that knows paho-mqtt.

What it is: a paho client that takes what its socket has in one read, hands PUBLISHes over as a list, and sends a list of
PUBACKs as one packet; and the link that connects it again and again. It is not the ring of what is unacknowledged
(relay.py): it sends the PUBACKs that it is told to send.

Rules: everything runs on the event loop except name resolution, TCP and TLS handshakes, which block and get a thread.
paho's own thread, its reconnecting and its message objects (a Condition each) are not used. The overridden names of paho
2.2 are held by tests/unit/bridge/test_paho_contract.py.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridge.backoff import until_connected
from bridge.errors import BrokerUnreachableError, MqttProtocolError
from bridge.publishes import Message, PublishParser
from bridge.settings import BridgeSettings

READ_BYTES: Final = 128 * 1024
# A TLS record holds 16 KiB: so many reads may be waiting in OpenSSL behind one readable socket.
_TLS_READS: Final = 16
_PUBACK: Final = 0x40
_PUBACK_HEAD: Final = b"\x40\x02"
_MISC_PERIOD_S: Final = 1.0
_QOS_1: Final = 1

log = structlog.get_logger("bridge")


class MqttEvents(Protocol):
    """What the link tells its owner, always on the event loop; none of it may raise."""

    def mqtt_connected(self) -> None:
        """Accepted by the broker: a new epoch begins. Before any message of the new connection."""

    def mqtt_messages(self, burst: list[Message]) -> None:
        """What one read brought, in order."""

    def mqtt_too_large(self, topic: bytes, size: int) -> None:
        """A message above the limit; it comes in the next burst with an empty topic, to be acknowledged only."""

    def mqtt_lost(self, reason: str) -> None:
        """The connection is gone: the epoch ends."""


class BurstClient(paho.Client):
    """paho with another way to read and to open its socket."""

    def __init__(self, settings: BridgeSettings, parser: PublishParser) -> None:
        mqtt5 = settings.mqtt_version == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._parser = parser
        self._opened: paho.SocketLike | None = None
        self.connect_timeout = settings.connect_timeout_s

    def open_socket(self) -> None:
        """Resolve, connect and shake hands for the next `reconnect()`; blocks, so it is called in a thread."""
        late, self._opened = self._opened, None
        if late is not None:
            late.close()  # of an attempt that was given up
        self._opened = super()._create_socket()

    def _create_socket(self) -> "paho.SocketLike":
        sock, self._opened = self._opened, None
        if sock is None:
            raise ConnectionError("open_socket was not called")
        self._parser.reset()
        return sock

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Read what the socket has, once (TLS: what its records hold), and parse all of it."""
        for _ in range(_TLS_READS):
            sock = self._sock
            if sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            try:
                data = self._sock_recv(READ_BYTES)
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            except OSError:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            if not data:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            self._last_bytes_received = paho.time_func()
            try:
                self._parser.feed(data)
            except MqttProtocolError as error:
                log.warning("mqtt.protocol_error", reason=str(error))
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
            if not isinstance(sock, ssl.SSLSocket):
                break
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def handle_packet(self, first: int, body: bytes) -> bool:
        """Let paho handle a packet that is not a PUBLISH; say whether the connection goes on."""
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
        if rc > 0:
            self._loop_rc_handle(rc)
        return self._sock is not None

    def acknowledge(self, mids: list[bytes]) -> None:
        """Send PUBACKs, in this order, as one write."""
        packets = _PUBACK_HEAD + _PUBACK_HEAD.join(mids)
        self._packet_queue(_PUBACK, packets, 0, _QOS_1)

    def hear(self) -> None:
        """Count as heard from: while reading is paused, PINGRESPs wait unread and mean nothing."""
        self._ping_t = 0.0
        self._last_bytes_received = paho.time_func()

    @property
    def unsent(self) -> int:
        """Packets that the socket did not take yet."""
        return len(self._out_packet)


class MqttLink:
    """Keep one persistent session with the broker connected, from `run` until `close`."""

    def __init__(self, settings: BridgeSettings, events: MqttEvents, may_connect: Callable[[], bool]) -> None:
        """`may_connect` says whether there is room for messages: a new connection always reads at least one burst."""
        self._settings = settings
        self._events = events
        self._may_connect = may_connect
        self.connected = False
        self.detail = "not connected yet"
        self._accepted = False
        self._closing = False
        self._subscribed_once = False
        self._paused = False
        self._lost = asyncio.Event()
        self._up: asyncio.Future[None] | None = None
        self._client = self._new_client()

    def _new_client(self) -> BurstClient:
        settings = self._settings
        events = self._events
        parser = PublishParser(
            mqtt5=settings.mqtt_version == "5",
            max_bytes=settings.message_bytes,
            on_messages=events.mqtt_messages,
            on_packet=lambda first, body: client.handle_packet(first, body),  # noqa: PLW0108 - the client needs the parser first
            on_too_large=events.mqtt_too_large,
        )
        client = BurstClient(settings, parser)
        endpoint = settings.mqtt
        if endpoint.username is not None:
            client.username_pw_set(endpoint.username, endpoint.password)
        if endpoint.tls:
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_want_write
        client.on_socket_unregister_write = self._on_written
        if settings.mqtt_version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = settings.mqtt_receive_maximum
            properties.SessionExpiryInterval = settings.mqtt_session_expiry_s
            client.connect_async(
                endpoint.host, endpoint.port, settings.mqtt_keepalive_s, clean_start=False, properties=properties
            )
        else:
            client.connect_async(endpoint.host, endpoint.port, settings.mqtt_keepalive_s)
        return client

    async def run(self) -> None:
        """Connect, keep alive, connect again; ends by cancellation."""
        while True:
            await until_connected(self._connect, self._settings.reconnect_max_s, self._failed)
            log.info("mqtt.connected", broker=str(self._settings.mqtt))
            while not self._lost.is_set():
                self._keep_alive()
                try:
                    async with asyncio.timeout(_MISC_PERIOD_S):
                        await self._lost.wait()
                except TimeoutError:
                    continue

    def _keep_alive(self) -> None:
        if self._paused:
            self._client.hear()
        self._client.loop_misc()

    def _failed(self, reason: str) -> None:
        if reason != self.detail:  # once, not at each attempt
            log.warning("mqtt.unreachable", broker=str(self._settings.mqtt), reason=reason)
        self.detail = reason

    async def _connect(self) -> None:
        """Connect and subscribe; raise BrokerUnreachableError."""
        if not self._may_connect():
            raise BrokerUnreachableError("waiting for the hub to take what is held, before more is read")
        client = self._client
        self._lost.clear()
        self._paused = False
        self._up = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await asyncio.to_thread(client.open_socket)
                client.reconnect()
                self._watch()
                await self._up
        except (OSError, TimeoutError) as error:
            self._drop()
            reason = str(error) or f"no answer within {self._settings.connect_timeout_s:g} s"
            raise BrokerUnreachableError(reason) from error
        except BrokerUnreachableError:
            self._drop()
            raise
        self.connected = True
        self.detail = "connected and subscribed"

    def _drop(self) -> None:
        """Close the socket without a word to the broker, which keeps the session."""
        self._client._sock_close()
        self._up = None
        self._end_epoch("given up")

    def _end_epoch(self, reason: str) -> None:
        if self._accepted:
            self._accepted = False
            self._events.mqtt_lost(reason)

    # paho's callbacks, on the event loop.

    def _on_connect(
        self, client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self._not_up(f"the broker refuses the connection: {code}")
            return
        self._accepted = True
        self._events.mqtt_connected()
        if flags.session_present and self._subscribed_once:
            self._is_up()
            return
        # The first time in a process even where the session is present: the filters may have changed since. Later not:
        # it would bring every retained message again.
        client.subscribe([(text, _QOS_1) for text in self._settings.filters])

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        for text, code in zip(self._settings.filters, codes, strict=False):
            if code.is_failure:
                self._not_up(f"the broker refuses the subscription to {text!r}: {code}")
                return
            if code.value < _QOS_1:
                log.warning("mqtt.subscribed_at_qos_0", filter=text, consequence="these messages can be lost")
        self._subscribed_once = True
        self._is_up()

    def _is_up(self) -> None:
        if self._up is not None and not self._up.done():
            self._up.set_result(None)

    def _not_up(self, reason: str) -> None:
        if self._up is not None and not self._up.done():
            self._up.set_exception(BrokerUnreachableError(reason))

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        reason = f"the connection was lost: {code}"
        self._not_up(reason)
        if self.connected:
            self.connected = False
            self.detail = reason
            (log.info if self._closing else log.warning)("mqtt.lost", reason=str(code))
        self._end_epoch(reason)
        self._lost.set()

    def _on_socket_close(self, _client: paho.Client, _data: object, sock: "paho.SocketLike") -> None:
        asyncio.get_running_loop().remove_reader(sock.fileno())

    def _on_want_write(self, client: paho.Client, _data: object, sock: "paho.SocketLike") -> None:
        asyncio.get_running_loop().add_writer(sock.fileno(), client.loop_write)

    def _on_written(self, _client: paho.Client, _data: object, sock: "paho.SocketLike") -> None:
        asyncio.get_running_loop().remove_writer(sock.fileno())

    # The owner's side.

    def _watch(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            asyncio.get_running_loop().add_reader(sock.fileno(), self._client.loop_read)

    def pause(self) -> None:
        """Stop reading: TCP and then the broker hold what comes. PINGREQs go on, so the session stays."""
        sock = self._client.socket()
        if not self._paused and sock is not None:
            self._paused = True
            asyncio.get_running_loop().remove_reader(sock.fileno())

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            self._watch()

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._paused

    def acknowledge(self, mids: list[bytes]) -> None:
        """Send PUBACKs in this order; the caller has checked that they belong to this connection."""
        if mids and self._accepted:
            self._client.acknowledge(mids)

    async def close(self, deadline_s: float) -> None:
        """Send what is queued and DISCONNECT; the session stays with the broker."""
        if not self.connected:
            self._drop()
            return
        self._closing = True
        self._client.disconnect()
        try:
            async with asyncio.timeout(deadline_s):
                await self._lost.wait()
        except TimeoutError:
            log.warning("mqtt.close_timeout", unsent=self._client.unsent)
            self._drop()
