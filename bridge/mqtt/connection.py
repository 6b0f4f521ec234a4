"""One connection to the broker, from its socket to its end; never used again after that (link.py makes the next).

It is not the client, the one place that knows paho (hub/clients/mqtt_client.py), nor the ring of what is unacknowledged
(relay.py): it sends the PUBACKs that its owner hands over. Everything runs on the event loop; what blocks gets a thread.

The time limit of `open` bounds silence: any message from the broker is an answer. A SUBACK may stand behind
everything that waits in the session, which is read no faster than the hub takes it.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from bridge.attempts import opened
from bridge.errors import BrokerUnreachableError, NoAnswerError, ProtocolVersionError
from bridge.mqtt.dial import TLS_READS, open_socket
from bridge.mqtt.socket_watch import SocketWatch
from bridge.settings import BridgeSettings
from hub.clients.mqtt_client import CLOSED, Accepted, Granted, MqttClient, MqttLogin, puback_refusal
from hub.clients.mqtt_packets import content_type_property, puback_packets, publish_packet
from hub.clients.mqtt_parser import Puback, Publish

KEEP_ALIVE_S: Final = 1.0
_QOS_1: Final = 1

log = structlog.get_logger("bridge")


class MqttEvents(Protocol):
    """What becomes of the session, always on the event loop; none of it may raise."""

    def mqtt_connected(self, connack: Accepted) -> None:
        """Begin a new epoch: the broker took us. Before any message of the new connection."""

    def mqtt_messages(self, burst: list[Publish]) -> None:
        """Take what one read brought, in order."""

    def mqtt_too_large(self, topic: bytes, size: int) -> None:
        """Note a message above the limit; it comes in the next burst with an empty topic, to be acknowledged only."""

    def mqtt_lost(self, reason: str) -> None:
        """End the epoch: the connection is gone."""

    def mqtt_published(self, mid: int, refusal: str | None) -> None:
        """Note that the broker took, or refused, what has this packet id."""

    def mqtt_uses(self, mid: int) -> bool:
        """Whether something waits for its PUBACK under this packet id."""


class BrokerConnection:
    """Implements `ClientOwner`."""

    def __init__(
        self,
        settings: BridgeSettings,
        events: MqttEvents,
        tls: ssl.SSLContext | None,
        *,
        mqtt5: bool,
        lasting: bool,
        subscribed: bool,
    ) -> None:
        """Prepare it; `subscribed` is whether this process has subscribed in an earlier connection of the session."""
        self._settings = settings
        self._events = events
        self._tls = tls
        self._mqtt5 = mqtt5
        self._subscribed = subscribed
        self._client = MqttClient(
            _login(settings, mqtt5=mqtt5, lasting=lasting), self, max_bytes=settings.message_bytes
        )
        self._status_topic = settings.mqtt_status_topic if lasting else None
        if self._status_topic is not None:
            self._client.will_set(self._status_topic, b"offline", _QOS_1, retain=True)
        self.watch = SocketWatch(self._client.loop_read, self._client.loop_write)
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()
        self.accepted_at: float | None = None
        self._ended_at: float | None = None
        self._heard_at = 0.0  # something that counts as an answer
        self.at_qos_0: list[str] = []  # filters that the broker granted no better
        self.problem = ""

    async def open(self) -> None:
        """Connect and subscribe.

        Raises:
            BrokerUnreachableError: with the reason; the connection has ended.
        """
        limit_s = self._settings.connect_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                sock = await opened(lambda: open_socket(self._settings, self._tls), lambda sock: sock.close())
            self._heard_at = time.monotonic()
            self.watch.open(sock.fileno())
            self._client.connect_over(sock, reads=TLS_READS if self._tls is not None else 1)
            while not (await asyncio.wait([self._up], timeout=min(KEEP_ALIVE_S, limit_s)))[0]:
                self.keep_alive()
                if time.monotonic() - self._heard_at > limit_s:
                    self._not_up(BrokerUnreachableError(f"no answer within {limit_s:g} s"))
            await self._up
        except (OSError, TimeoutError) as error:
            reason = str(error) or f"no answer within {limit_s:g} s"
            self.drop(reason)
            raise BrokerUnreachableError(reason) from error
        except BrokerUnreachableError as error:
            self.drop(str(error))
            raise
        self.say("online")

    def keep_alive(self) -> None:
        """Send a PINGREQ if one is due, notice that the broker is gone; to be called every second."""
        if self.watch.paused:
            self._client.excuse_silence()
            self._heard_at = time.monotonic()
        self._client.loop_misc()

    # The client's events.

    def accepted(self, connack: Accepted) -> None:
        self.accepted_at = self._heard_at = time.monotonic()
        self._events.mqtt_connected(connack)
        if connack.session_present and self._subscribed:
            self._is_up()
            return
        # The first time in a process even where the session is present: the filters may have changed since. Later not:
        # with 3.1.1 it would bring every retained message again.
        self._client.subscribe_to(self._settings.filters)

    def refused(self, reason: str, *, version: bool) -> None:
        self._not_up(ProtocolVersionError(reason) if version else BrokerUnreachableError(reason))

    def subscribed(self, granted: Sequence[Granted]) -> None:
        for text, (qos, refusal) in zip(self._settings.filters, granted, strict=False):
            if refusal:
                self._not_up(BrokerUnreachableError(f"the broker refuses the subscription to {text!r}: {refusal}"))
                return
            if qos < _QOS_1:
                self.at_qos_0.append(text)
                log.warning("mqtt.subscribed_at_qos_0", filter=text, consequence="these messages can be lost")
        self._is_up()

    def messages(self, burst: list[Publish]) -> None:
        self._heard_at = time.monotonic()
        self._events.mqtt_messages(burst)

    def too_large(self, topic: bytes, size: int) -> None:
        self._events.mqtt_too_large(topic, size)

    def pubacks(self, pubacks: list[Puback]) -> None:
        for mid, code in pubacks:
            self._events.mqtt_published(mid, puback_refusal(code))

    def wait_to_write(self, *, wanted: bool) -> None:
        self.watch.wait_to_write(wanted=wanted)

    def socket_closing(self) -> None:
        self.watch.close()

    def lost(self, problem: str) -> None:
        if self.accepted_at is not None:
            reason = f"the connection was lost: {problem}" if problem else "closed"
            self._not_up(BrokerUnreachableError(reason))
        else:
            reason = problem if problem != CLOSED else f"{CLOSED} without an answer to CONNECT"
            self._not_up(NoAnswerError(reason))
        self._end(reason)

    def _is_up(self) -> None:
        if not self._up.done():
            self._up.set_result(None)

    def _not_up(self, error: BrokerUnreachableError) -> None:
        if not self._up.done():
            self._up.set_exception(error)

    def _end(self, reason: str) -> None:
        if not self.over.is_set():
            self.problem = reason
            self._ended_at = time.monotonic()
            self.over.set()
            if self.accepted_at is not None:
                self._events.mqtt_lost(reason)

    # The owner's side.

    @property
    def takes_packets(self) -> bool:
        """Whether PUBACKs and PUBLISHes may be sent: from CONNACK to the end."""
        return self.accepted_at is not None and not self.over.is_set()

    @property
    def age_s(self) -> float:
        """For how long the broker has accepted it, or had until its end."""
        return 0.0 if self.accepted_at is None else (self._ended_at or time.monotonic()) - self.accepted_at

    def acknowledge(self, mids: list[bytes]) -> None:
        """Send PUBACKs in this order; the caller has checked that they belong to this connection."""
        self._client.send_packets(puback_packets(mids))

    def publish(self, topic: str, payload: bytes, content_type: str | None, mid: int, *, retain: bool = False) -> int:
        """Send a PUBLISH at QoS 1 and keep nothing of it; return its packet id. One that has an id is a repeat (DUP)."""
        again = mid != 0
        while not mid or (not again and self._events.mqtt_uses(mid)):
            mid = self._client.next_packet_id()
        properties = None
        if self._mqtt5:
            properties = b"" if content_type is None else content_type_property(content_type)
        packet = publish_packet(mid, topic, payload, again=again, retain=retain, properties=properties)
        self._client.send_packets(packet)
        return mid

    def say(self, state: str) -> None:
        """Publish our state if a topic is set for it; the will says `offline` when we cannot."""
        if self._status_topic is not None:
            self.publish(self._status_topic, state.encode(), None, 0, retain=True)

    def drop(self, reason: str) -> None:
        """Close the socket without DISCONNECT; the broker keeps the session."""
        self._client.drop()
        self._end(reason)

    async def disconnect(self, deadline_s: float) -> None:
        """Send what is queued and DISCONNECT; the session stays with the broker."""
        self.say("offline")
        self._client.disconnect()
        try:
            async with asyncio.timeout(deadline_s):
                await self.over.wait()
        except TimeoutError:
            log.warning("mqtt.close_timeout", unsent=self._client.unsent)
            self.drop("closed")


def _login(settings: BridgeSettings, *, mqtt5: bool, lasting: bool) -> MqttLogin:
    return MqttLogin(
        settings.client_id,
        settings.mqtt.username,
        settings.mqtt.password,
        mqtt5=mqtt5,
        keepalive_s=settings.mqtt_keepalive_s,
        lasting=lasting,
        session_expiry_s=settings.session_expiry_s,
        receive_maximum=settings.mqtt_receive_maximum,
    )
