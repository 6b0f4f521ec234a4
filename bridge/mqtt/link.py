"""The broker's side: one session, connected again and again; which connection is the present one, and why none is.

The protocol's version: with `auto` it begins with MQTT 5 and takes 3.1.1, until the program ends, when the broker refuses
that version in its CONNACK; or when it answers nothing to 5 (RabbitMQ before 3.13 just closes the connection) and takes
3.1.1 at once. One that closes both may be starting: it is asked in 5 again.

Two clients with one id push each other off for ever, and some brokers say nothing about it: after `_ROW` connections in a
row that ended within seconds, the reason names that as the likely cause.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from bridge.attempts import until_useful
from bridge.errors import BrokerUnreachableError, NoAnswerError, ProtocolVersionError
from bridge.mqtt.connection import KEEP_ALIVE_S, BrokerConnection, MqttEvents
from bridge.mqtt.dial import context
from bridge.observe import advice
from bridge.observe.status import LastError
from bridge.settings import BridgeSettings

# A connection that ends sooner was of no use: the pauses keep growing.
_USEFUL_S: Final = 1.0
_FIGHT_S: Final = 10.0
_ROW: Final = 5
_CONNECTED: Final = "connected and subscribed"
_CONTESTED: Final = f"; connections end within seconds, again and again: {advice.RIVAL} is the likely cause"

log = structlog.get_logger("bridge")


class MqttLink:
    """Keep one persistent session with the broker connected, from `run` until `close`."""

    def __init__(
        self, settings: BridgeSettings, events: MqttEvents, may_connect: Callable[[], bool], *, lasting: bool = True
    ) -> None:
        """`may_connect` says whether there is room for messages: a new connection always reads at least one burst.

        `lasting` is whether the broker keeps the session when the link ends.

        Raises:
            SettingsError: a file of TLS cannot be used.
        """
        self._settings = settings
        self._events = events
        self._may_connect = may_connect
        self._lasting = lasting
        self._tls = context(settings) if settings.mqtt.secure else None
        self._connection: BrokerConnection | None = None  # from the attempt on
        self._subscribed = False  # once, in this process
        self._short = 0  # connections in a row that ended within seconds
        self._told = ""  # the reason that was logged last
        self.connected = False
        self.detail = "not connected yet"
        self.last_error: LastError | None = None
        self.mqtt5 = settings.mqtt_version != "3.1.1"

    async def run(self) -> None:
        """Connect, keep alive, connect again; ends by cancellation."""
        while True:
            await until_useful(self._session, self._settings.reconnect_max_s, self._failed)

    async def _session(self) -> None:
        """Keep one connection from its beginning to its end; raise BrokerUnreachableError if it did not last."""
        connection = await self.connect()
        if not self.contested:  # once, not at each turn of a fight
            log.info("mqtt.connected", broker=str(self._settings.mqtt), version="5" if self.mqtt5 else "3.1.1")
        while not connection.over.is_set():
            connection.keep_alive()
            if self._short and connection.age_s >= _FIGHT_S:
                self._short = 0
                self.detail = _CONNECTED
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await connection.over.wait()
            except TimeoutError:
                continue
        self.connected = False
        self._count(connection)
        self._tell("mqtt.lost", connection.problem)
        if connection.age_s < (_FIGHT_S if self.contested else _USEFUL_S):
            raise BrokerUnreachableError(connection.problem)

    @property
    def contested(self) -> bool:
        """Whether connections end within seconds, again and again."""
        return self._short >= _ROW

    def _count(self, connection: BrokerConnection) -> None:
        """Count a connection that the broker had accepted and that has ended."""
        self._short = self._short + 1 if connection.age_s < _FIGHT_S else 0

    def _failed(self, reason: str) -> None:
        self._tell("mqtt.unreachable", reason)

    def _tell(self, event: str, reason: str) -> None:
        """Note why we are not connected, and log it unless that was said last."""
        if self.contested:
            reason += _CONTESTED
        self.detail = reason
        self.last_error = LastError(reason, time.time_ns() // 1000)
        if reason != self._told:
            self._told = reason
            log.warning(event, broker=str(self._settings.mqtt), reason=reason, remedy=advice.of(reason, advice.BROKER))

    async def connect(self) -> BrokerConnection:
        """Connect and subscribe; raise BrokerUnreachableError."""
        if not self._may_connect():
            raise BrokerUnreachableError("waiting for the hub to take what is held, before more is read")
        try:
            connection = await self._try()
        except (ProtocolVersionError, NoAnswerError):
            if self._settings.mqtt_version != "auto" or not self.mqtt5:
                raise
            connection = await self._try_the_other_version()
        self.connected = self._subscribed = True
        if not self.contested:
            self.detail = _CONNECTED
            self._told = ""
        return connection

    async def _try_the_other_version(self) -> BrokerConnection:
        self.mqtt5 = False
        try:
            connection = await self._try()
        except NoAnswerError:
            self.mqtt5 = True
            raise
        log.info("mqtt.version", version="3.1.1", reason="the broker does not speak MQTT 5")
        return connection

    async def _try(self) -> BrokerConnection:
        # It is the present one from here on: what comes before the SUBACK is relayed and acknowledged, too.
        connection = self._connection = BrokerConnection(
            self._settings,
            self._events,
            self._tls,
            mqtt5=self.mqtt5,
            lasting=self._lasting,
            subscribed=self._subscribed,
        )
        try:
            await connection.open()
        except BrokerUnreachableError:
            if connection.accepted_at is not None:
                self._count(connection)
            else:
                self._short = 0  # the broker was away: its restarts end connections, too
            raise
        return connection

    # The owner's side.

    @property
    def at_qos_0(self) -> list[str]:
        """Filters that the broker granted at QoS 0 only."""
        return [] if self._connection is None else self._connection.at_qos_0

    def pause(self) -> None:
        """Stop reading; PINGREQs go on, so the session stays."""
        if self._connection is not None:
            self._connection.watch.pause()

    def resume(self) -> None:
        """Read again."""
        if self._connection is not None:
            self._connection.watch.resume()

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._connection is not None and self._connection.watch.paused

    def acknowledge(self, mids: list[bytes]) -> None:
        """Send PUBACKs in this order; the caller has checked that they belong to this connection."""
        if mids and self._connection is not None and self._connection.takes_packets:
            self._connection.acknowledge(mids)

    @property
    def takes_commands(self) -> bool:
        """Whether commands may be published."""
        return self._connection is not None and self._connection.takes_packets

    def publish(self, topic: str, payload: bytes, content_type: str | None, mid: int) -> int:
        """Publish a command, when `takes_commands` says so: see BrokerConnection.publish."""
        assert self._connection is not None  # noqa: S101 - takes_commands
        return self._connection.publish(topic, payload, content_type, mid)

    def reconnect(self, reason: str) -> None:
        """Drop the present connection; `run` connects again."""
        if self._connection is not None:
            self._connection.drop(reason)

    async def close(self, deadline_s: float) -> None:
        """Send what is queued and DISCONNECT; to be called after `run` was cancelled."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not self.connected:
            connection.drop("closed")
            return
        self.connected = False
        await connection.disconnect(deadline_s)
        log.info("mqtt.closed")
