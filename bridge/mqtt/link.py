"""The broker's side: one session, connected again and again.

It is not the client (mqtt_client.py, the one place that knows paho), nor the ring of what is unacknowledged (relay.py): it
sends the PUBACKs that it is told to send. Everything runs on the event loop; what blocks gets a thread.

The protocol's version: with `auto` it begins with MQTT 5 and takes 3.1.1, until the program ends, when the broker refuses
that version in its CONNACK; or when it answers nothing to 5 (RabbitMQ before 3.13 just closes the connection) and takes
3.1.1 at once. One that closes both may be starting: it is asked in 5 again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from bridge.backoff import until_useful
from bridge.errors import BrokerUnreachableError, NoAnswerError, ProtocolVersionError
from bridge.mqtt.client import BurstClient
from bridge.mqtt.events import Granted, MqttEvents
from bridge.mqtt.publishes import PublishParser
from bridge.observe.status import LastError
from bridge.opening import opened
from bridge.settings import BridgeSettings

_MISC_PERIOD_S: Final = 1.0
# Two clients with one id push each other off, each time after a moment: what ends sooner was of no use.
_LASTING_S: Final = 1.0
_QOS_1: Final = 1

log = structlog.get_logger("bridge")


class MqttLink:
    """Keep one persistent session with the broker connected, from `run` until `close`."""

    def __init__(
        self, settings: BridgeSettings, events: MqttEvents, may_connect: Callable[[], bool], *, lasting: bool = True
    ) -> None:
        """`may_connect` says whether there is room for messages: a new connection always reads at least one burst.

        `lasting` is whether the broker keeps the session when the link ends.
        """
        self._settings = settings
        self._events = events
        self._may_connect = may_connect
        self._lasting = lasting
        self.connected = False
        self.detail = "not connected yet"
        self.last_error: LastError | None = None
        self.at_qos_0: list[str] = []  # filters that the broker granted no better
        self.mqtt5 = settings.mqtt_version != "3.1.1"
        self._accepted = False
        self._closing = False
        self._subscribed_once = False
        self._lost = asyncio.Event()
        self._up: asyncio.Future[None] | None = None
        self._client = self._new_client()

    def _new_client(self) -> BurstClient:
        events = self._events
        parser = PublishParser(
            mqtt5=self.mqtt5,
            max_bytes=self._settings.message_bytes,
            on_messages=events.mqtt_messages,
            on_packet=lambda first, body: client.handle_packet(first, body),  # noqa: PLW0108 - the client needs the parser first
            on_too_large=events.mqtt_too_large,
        )
        client = BurstClient(self._settings, parser, self, mqtt5=self.mqtt5, lasting=self._lasting)
        return client

    async def run(self) -> None:
        """Connect, keep alive, connect again; ends by cancellation."""
        while True:
            await until_useful(self._session, self._settings.reconnect_max_s, self._failed)

    async def _session(self) -> None:
        """Keep one connection from its beginning to its end; raise BrokerUnreachableError if it did not last."""
        await self.connect()
        log.info("mqtt.connected", broker=str(self._settings.mqtt), version="5" if self.mqtt5 else "3.1.1")
        begun = time.monotonic()
        while not self._lost.is_set():
            self._keep_alive()
            try:
                async with asyncio.timeout(_MISC_PERIOD_S):
                    await self._lost.wait()
            except TimeoutError:
                continue
        if time.monotonic() - begun < _LASTING_S:
            raise BrokerUnreachableError(self.detail)

    def _keep_alive(self) -> None:
        if self._client.watch.paused:
            self._client.hear()
        self._client.loop_misc()

    def _failed(self, reason: str) -> None:
        if reason != self.detail:  # once, not at each attempt
            log.warning("mqtt.unreachable", broker=str(self._settings.mqtt), reason=reason)
        self.detail = reason
        self.last_error = LastError(reason, time.time_ns() // 1000)

    async def connect(self) -> None:
        """Connect and subscribe; raise BrokerUnreachableError."""
        if not self._may_connect():
            raise BrokerUnreachableError("waiting for the hub to take what is held, before more is read")
        try:
            await self._try()
        except (ProtocolVersionError, NoAnswerError):
            if self._settings.mqtt_version != "auto" or not self.mqtt5:
                raise
            await self._try_the_other_version()
        self.connected = True
        self.detail = "connected and subscribed"
        self._say("online")

    async def _try_the_other_version(self) -> None:
        self.mqtt5 = False
        self._client = self._new_client()
        try:
            await self._try()
        except NoAnswerError:
            self.mqtt5 = True
            self._client = self._new_client()
            raise
        log.info("mqtt.version", version="3.1.1", reason="the broker does not speak MQTT 5")

    async def _try(self) -> None:
        client = self._client
        self._lost.clear()
        self._up = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                client.start(await opened(client.open_socket, lambda sock: sock.close()))
                await self._up
        except (OSError, TimeoutError) as error:
            self._drop()
            reason = str(error) or f"no answer within {self._settings.connect_timeout_s:g} s"
            raise BrokerUnreachableError(reason) from error
        except BrokerUnreachableError:
            self._drop()
            raise

    def _say(self, state: str) -> None:
        """Publish our state, if a topic was given for it; the will says `offline` when we cannot."""
        topic = self._settings.mqtt_status_topic
        if topic is not None and self._lasting:
            self._client.publish(topic, state, _QOS_1, retain=True)

    def _drop(self) -> None:
        """Close the socket without a word to the broker, which keeps the session."""
        self._client._sock_close()
        self._up = None
        self._end_epoch("given up")

    def _end_epoch(self, reason: str) -> None:
        if self._accepted:
            self._accepted = False
            self._events.mqtt_lost(reason)

    # The client's events.

    def accepted(self, session_present: bool) -> None:
        """Begin an epoch and subscribe."""
        self._accepted = True
        self._events.mqtt_connected()
        if session_present and self._subscribed_once:
            self._is_up()
            return
        # The first time in a process even where the session is present: the filters may have changed since. Later not:
        # with 3.1.1 it would bring every retained message again.
        self._client.subscribe_to(self._settings.filters)

    def refused(self, reason: str, *, version: bool) -> None:
        """Fail this attempt."""
        self._not_up(ProtocolVersionError(reason) if version else BrokerUnreachableError(reason))

    def subscribed(self, granted: Sequence[Granted]) -> None:
        """Be up, if all filters were granted."""
        self.at_qos_0 = []
        for text, (qos, refusal) in zip(self._settings.filters, granted, strict=False):
            if refusal:
                self._not_up(BrokerUnreachableError(f"the broker refuses the subscription to {text!r}: {refusal}"))
                return
            if qos < _QOS_1:
                self.at_qos_0.append(text)
                log.warning("mqtt.subscribed_at_qos_0", filter=text, consequence="these messages can be lost")
        self._subscribed_once = True
        self._is_up()

    def _is_up(self) -> None:
        if self._up is not None and not self._up.done():
            self._up.set_result(None)

    def _not_up(self, error: BrokerUnreachableError) -> None:
        if self._up is not None and not self._up.done():
            self._up.set_exception(error)

    def ended(self, reason: str) -> None:
        """End the epoch; `run` connects again."""
        detail = f"the connection was lost: {reason}"
        unanswered = "the broker closed the connection without an answer to CONNECT"
        self._not_up(BrokerUnreachableError(detail) if self._accepted else NoAnswerError(unanswered))
        if self.connected:
            self.connected = False
            self.detail = detail
            self.last_error = LastError(detail, time.time_ns() // 1000)
            (log.info if self._closing else log.warning)("mqtt.lost", reason=reason)
        self._end_epoch(detail)
        self._lost.set()

    def acknowledged(self, mid: int, refusal: str | None) -> bool:
        """Pass it on."""
        return self._events.mqtt_published(mid, refusal)

    # The owner's side.

    def pause(self) -> None:
        """Stop reading; PINGREQs go on, so the session stays."""
        self._client.watch.pause()

    def resume(self) -> None:
        """Read again."""
        self._client.watch.resume()

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._client.watch.paused

    def acknowledge(self, mids: list[bytes]) -> None:
        """Send PUBACKs in this order; the caller has checked that they belong to this connection."""
        if mids and self._accepted:
            self._client.acknowledge(mids)

    @property
    def accepted_by_broker(self) -> bool:
        """Whether commands may be published."""
        return self._accepted and not self._closing

    @property
    def receive_maximum(self) -> int | None:
        """How many PUBLISHes without a PUBACK the broker takes, if it says so."""
        return self._client.receive_maximum

    @property
    def packet_bytes(self) -> int | None:
        """How large a packet the broker takes, if it says so."""
        return self._client.packet_bytes

    def publish(
        self, topic: bytes, payload: bytes, content_type: str | None, mid: int, uses: Callable[[int], bool]
    ) -> int:
        """Publish a command: see BurstClient.publish_command."""
        return self._client.publish_command(topic, payload, content_type, mid, uses)

    def reconnect(self, reason: str) -> None:
        """Give the present connection up; `run` connects again."""
        if self.connected:
            self._drop()
            self.ended(reason)

    async def close(self, deadline_s: float) -> None:
        """Send what is queued and DISCONNECT; the session stays with the broker."""
        if not self.connected:
            self._drop()
            return
        self._closing = True
        self._say("offline")
        self._client.disconnect()
        try:
            async with asyncio.timeout(deadline_s):
                await self._lost.wait()
        except TimeoutError:
            log.warning("mqtt.close_timeout", unsent=self._client.unsent)
            self._drop()
