"""The MQTT client: the one place that knows paho-mqtt.

What it is: a paho client, stock in API and semantics, that takes what its socket has in one read, hands PUBLISHes over as a
list, and sends a list of PUBACKs as one packet; over TCP or WebSocket, with or without TLS. It does not connect itself
again (mqtt_link.py does) and knows nothing of what is unacknowledged (relay.py).

Rules: everything runs on the event loop except `open_socket`: name resolution, TCP, TLS and WebSocket handshakes block and
get a thread. paho's own thread, its reconnecting and its message objects (a Condition each) are not used. The names of
paho 2.2 that are overridden or used are held by tests/unit/bridge/test_paho_contract.py.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.errors import MqttProtocolError
from bridge.mqtt import tls as mqtt_tls
from bridge.mqtt.events import ClientEvents, Granted
from bridge.mqtt.publishes import PublishParser
from bridge.mqtt.socket_watch import SocketWatch
from bridge.mqtt.websocket_socket import WebSocketSocket
from bridge.settings import BridgeSettings

READ_BYTES: Final = 128 * 1024
# A TLS record holds 16 KiB: so many reads may be waiting in OpenSSL behind one readable socket.
_TLS_READS: Final = 16
# Of a broken connection 1 MiB is still taken: beyond that the bound on what is held counts more.
_RESCUE_READS: Final = 8
# paho keeps what `publish` sends until its PUBACK, by default without limit; that is online and offline only.
_MAX_STATES: Final = 8
_PUBACK: Final = 0x40
_PUBACK_HEAD: Final = b"\x40\x02"
_QOS_1: Final = 1
_UNSUPPORTED_VERSION: Final = 0x84
_FAILURE: Final = 0x80  # reason codes from here on (MQTT 5, 2.4)
# The retained messages come with a new subscription only, not with each SUBSCRIBE (MQTT 5, 3.8.3.1). Retain As Published
# stays off: the flag says "old state, sent because of the subscription", as it does with 3.1.1. Devices that publish
# their live values with it (ESPHome, Homie, Shelly) could not be told from that otherwise.
_IF_NEW: Final = 1

log = structlog.get_logger("bridge")


class BurstClient(paho.Client):
    """paho with another way to read and to open its socket."""

    def __init__(
        self,
        settings: BridgeSettings,
        parser: PublishParser,
        events: ClientEvents,
        *,
        mqtt5: bool,
        lasting: bool = True,
    ) -> None:
        """Take the callbacks; `lasting` is whether the broker keeps the session (clean_start=False, with an expiry)."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if mqtt5 else not lasting,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if settings.mqtt.web_socket else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._parser = parser
        self._events = events
        self._mqtt5 = mqtt5
        self._opened: paho.SocketLike | None = None
        self._rescuing = False
        self.receive_maximum: int | None = None
        self.packet_bytes: int | None = None
        self.max_queued_messages_set(_MAX_STATES)
        self.connect_timeout = settings.connect_timeout_s
        self.on_connect = self._connected
        self.on_subscribe = self._subscribed
        self.on_disconnect = self._disconnected
        self.watch = SocketWatch(self.loop_read, self.loop_write)
        self.on_socket_open = lambda _client, _data, sock: self.watch.opened(sock.fileno())
        self.on_socket_close = lambda _client, _data, sock: self.watch.closes(sock.fileno())
        self.on_socket_register_write = lambda _client, _data, sock: self.watch.wants_write(sock.fileno())
        self.on_socket_unregister_write = lambda _client, _data, sock: self.watch.wrote_all(sock.fileno())
        self._configure(settings, lasting=lasting)

    def _configure(self, settings: BridgeSettings, *, lasting: bool) -> None:
        endpoint = settings.mqtt
        if endpoint.username is not None:
            self.username_pw_set(endpoint.username, endpoint.password)
        if endpoint.web_socket:
            self.ws_set_options(endpoint.path)
        if endpoint.tls:
            self.tls_set_context(mqtt_tls.context(settings))
        if settings.mqtt_status_topic is not None and lasting:
            self.will_set(settings.mqtt_status_topic, b"offline", _QOS_1, retain=True)
        if not self._mqtt5:
            self.connect_async(endpoint.host, endpoint.port, settings.mqtt_keepalive_s)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = settings.mqtt_receive_maximum
        # clean_start=False alone keeps nothing: an absent expiry means 0 (MQTT 5, 3.1.2.11.2).
        properties.SessionExpiryInterval = settings.session_expiry_s if lasting else 0
        self.connect_async(
            endpoint.host, endpoint.port, settings.mqtt_keepalive_s, clean_start=not lasting, properties=properties
        )

    def open_socket(self) -> "paho.SocketLike":
        """Resolve, connect and shake hands; blocks, so it is called in a thread."""
        try:
            return self._shaken_hands()
        except (ValueError, IndexError) as error:
            # A host name that is none; a strange answer to the WebSocket handshake.
            raise ConnectionError(f"no connection can be made: {error}") from error

    def start(self, sock: "paho.SocketLike") -> None:
        """Send CONNECT on a socket that was opened."""
        self._opened = sock
        self.reconnect()

    def _shaken_hands(self) -> "paho.SocketLike":
        sock = self._create_socket_connection()
        if self._ssl_context is not None:
            sock = self._ssl_context.wrap_socket(sock, server_hostname=self._host)
        if self._transport != "websockets":
            return sock
        try:
            paho._WebsocketWrapper(sock, self._host, self._port, self._ssl, self._websocket_path, None)
        except BaseException:
            sock.close()
            raise
        return WebSocketSocket(sock)

    def _create_socket(self) -> "paho.SocketLike":
        sock, self._opened = self._opened, None
        if sock is None:
            raise ConnectionError("open_socket was not called")
        self._parser.reset()
        return sock

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Read what the socket has, once (TLS: what its records hold), and parse all of it."""
        for _ in range(_TLS_READS):
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            try:
                data = self._sock_recv(READ_BYTES)
                if not data:
                    return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
                self._last_bytes_received = paho.time_func()
                self._parser.feed(data)
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            except OSError:
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
            except MqttProtocolError as error:
                log.warning("mqtt.protocol_error", reason=str(error))
                return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
            if not self._ssl:
                break
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _loop_rc_handle(self, rc: MQTTErrorCode) -> MQTTErrorCode:
        """Take what came before the connection broke, then let paho end it: a broker that was killed cannot repeat it."""
        if rc == MQTTErrorCode.MQTT_ERR_CONN_LOST and not self._rescuing:
            self._rescuing = True
            with contextlib.suppress(OSError, MqttProtocolError):
                for _ in range(_RESCUE_READS):
                    if not (data := self._sock_recv(READ_BYTES)):
                        break
                    self._parser.feed(data)
            self._rescuing = False
        return super()._loop_rc_handle(rc)

    def handle_packet(self, first: int, body: bytes) -> bool:
        """Let paho handle a packet that is not a PUBLISH; say whether the connection goes on."""
        if first == _PUBACK and len(body) >= 2 and self._events.acknowledged(*puback(body)):
            return True
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

    def publish_command(
        self, topic: bytes, payload: bytes, content_type: str | None, mid: int, uses: Callable[[int], bool]
    ) -> int:
        """Send a PUBLISH at QoS 1 and keep nothing of it; return its packet id. One that has an id is a repeat (DUP)."""
        dup = mid != 0
        if not mid:
            mid = self._mid_generate()
            while uses(mid) or mid in self._out_messages:
                mid = self._mid_generate()
        properties = None
        if self._mqtt5 and content_type is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = content_type
        self._send_publish(mid, topic, payload, _QOS_1, False, dup, None, properties)
        return mid

    def subscribe_to(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 1 and never 2: paho confirms QoS 2 before the message is handed over."""
        if self._mqtt5:
            options = SubscribeOptions(_QOS_1, retainHandling=_IF_NEW)
            self.subscribe([(text, options) for text in filters])
        else:
            self.subscribe([(text, _QOS_1) for text in filters])

    def hear(self) -> None:
        """Count as heard from: while reading is paused, PINGRESPs wait unread and mean nothing."""
        self._ping_t = 0.0
        self._last_bytes_received = paho.time_func()

    @property
    def unsent(self) -> int:
        """Packets that the socket did not take yet."""
        return len(self._out_packet)

    # paho's callbacks.

    def _connected(
        self, _client: paho.Client, _data: object, flags: paho.ConnectFlags, code: ReasonCode, properties: object
    ) -> None:
        if code.is_failure:
            self._events.refused(
                f"the broker refuses the connection: {code}", version=code.value == _UNSUPPORTED_VERSION
            )
        else:
            # What the broker takes from us; MQTT 5 only, where it may say nothing too (3.2.2.3).
            self.receive_maximum = getattr(properties, "ReceiveMaximum", None)
            self.packet_bytes = getattr(properties, "MaximumPacketSize", None)
            self._events.accepted(flags.session_present)

    def _subscribed(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        self._events.subscribed([Granted(code.value, str(code) if code.is_failure else "") for code in codes])

    def _disconnected(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        self._events.ended(str(code))


def puback(body: bytes) -> tuple[int, str | None]:
    """Return the packet id, and why the broker refuses: MQTT 5 has a reason code behind the id (3.4.2.1)."""
    code = body[2] if len(body) > 2 else 0
    refusal = None
    if code >= _FAILURE:
        try:
            refusal = f"the broker refuses it: {ReasonCode(PacketTypes.PUBACK, identifier=code)}"
        except (KeyError, ValueError):  # paho knows no name for it, or none for this packet
            refusal = f"the broker refuses it: reason code {code:#x}"
    return int.from_bytes(body[:2], "big"), refusal
