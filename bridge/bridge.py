"""The bridge itself: joins broker, relay and hub, and starts and stops them.

It is not where the rules of delivery are (relay.py) nor where bytes are parsed. Everything here runs on the event loop,
in callbacks of the two links; the two link tasks and the clock are awaited by `run`.

asyncio.wait_for is not used: on Python 3.11 it swallows a cancellation that meets its result.

To stop: stop reading the broker, wait (bounded) for the receipts of what is held, send their PUBACKs, then
DISCONNECT on both sides. What got no receipt in time stays unacknowledged, and the broker sends it again next time.
"""

import asyncio
import math
import time
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from bridge.down.commands import IN_FLIGHT, Commands
from bridge.errors import BridgeError
from bridge.hub.ending import Loss
from bridge.hub.frames import Destinations, encode, encode_answers
from bridge.hub.link import HubLink
from bridge.hub.property_headers import PropertyHeaders
from bridge.mqtt.link import MqttLink
from bridge.observe import advice, status
from bridge.observe.drops import Drops, counted_before
from bridge.observe.health import HealthServer, State
from bridge.observe.metrics import BridgeCollector, Side
from bridge.relay.intake import RelayCounts
from bridge.relay.relay import Relay, RelayLimits
from bridge.relay.transaction import Transaction
from bridge.settings import BridgeSettings
from hub.access.principal import bridge_status
from hub.clients.mqtt_client import Accepted
from hub.clients.mqtt_parser import Publish
from hub.topics import destinations

_CLOCK_PERIOD_S = 0.2
# Of a connection that brought nothing at all: most fleets say something every minute.
_SILENCE_S = 60.0

log = structlog.get_logger("bridge")


class Bridge:
    """One MQTT session, one hub connection, one relay between them."""

    def __init__(self, settings: BridgeSettings) -> None:
        self._settings = settings
        counts = RelayCounts()
        self._drops = Drops(counts, settings.message_bytes)
        self.relay = Relay(
            RelayLimits(
                max_messages=settings.unacked_messages,
                max_bytes=settings.unacked_bytes,
                transaction_messages=settings.transaction_messages,
                transaction_bytes=settings.transaction_bytes,
                in_flight=settings.transactions_in_flight,
                linger_s=settings.linger_ms / 1000,
                qos0_messages=settings.qos0_messages,
            ),
            counts,
            self._drops.poison,
        )
        self._destinations = Destinations(settings.commands)
        self.commands = Commands(settings.commands, settings.message_bytes)
        self._properties = PropertyHeaders()
        self._properties_again = PropertyHeaders()  # of what is sent again: what it drops was counted the first time
        self._mqtt = MqttLink(settings, self, lambda: not self.relay.crowded)
        self._hub = HubLink(settings, self)
        self._status_topic = destinations.topic(bridge_status(settings.bridge_name))
        self._linger: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None
        self.registry = CollectorRegistry()
        self.registry.register(BridgeCollector(self.relay, self.commands, self._properties.dropped, self._sides))
        self._health = HealthServer(settings.health_host, settings.health_port, self.state, self.registry)

    async def run(self, ready: Callable[[str], None]) -> None:
        """Relay until `stop`; `ready` gets the health URL, once, when both sides are connected and subscribed."""
        url = self._health.start()
        log.info("bridge.started", health=url, broker=str(self._settings.mqtt), hub=str(self._settings.hub))
        links = [asyncio.create_task(self._mqtt.run()), asyncio.create_task(self._hub.run())]
        clock = asyncio.create_task(self._clock(url, ready))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            # A link ends only by a bug of ours: then the bridge ends with that error, and its supervisor starts it anew.
            await asyncio.wait([*links, clock, stop], return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set() and self._failure is None:
                await self._drain()
        finally:
            for task in (*links, clock, stop):
                task.cancel()
            results = await asyncio.gather(*links, clock, stop, return_exceptions=True)
            await self._mqtt.close(self._settings.drain_timeout_s)
            await self._hub.close()
            await self._health.stop()
            log.info("bridge.stopped", unacknowledged=self.relay.messages, relayed=self.relay.counts.relayed)
        for result in (*results, self._failure):
            if isinstance(result, Exception):
                raise result

    def stop(self) -> None:
        """Ask `run` to end; safe to call from a signal handler on the loop."""
        self._stopping.set()

    def fail(self, error: BaseException | None) -> None:
        """End by an error that a callback raised: its messages would otherwise stay unacknowledged for ever.

        `run` raises it; what was not acknowledged comes again after the restart.
        """
        self._failure = error or BridgeError("a callback failed")
        self._stopping.set()

    async def _drain(self) -> None:
        self._mqtt.pause()
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s):
                while self.relay.messages:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("bridge.drain_timeout", unacknowledged=self.relay.messages)

    async def _clock(self, url: str, ready: Callable[[str], None]) -> None:
        announced = False
        report_at = 0.0
        silent_at = time.monotonic() + _SILENCE_S
        while True:
            now = time.monotonic()
            if not self._mqtt.connected or self.relay.counts.received:
                silent_at = now + _SILENCE_S
            elif now >= silent_at:
                silent_at = math.inf  # once
                log.warning("mqtt.nothing_came", seconds=_SILENCE_S, remedy=advice.NOTHING_COMES)
            if now >= report_at and self._hub.connected:
                report_at = now + status.PERIOD_S
                self._hub.send_status(self._status_topic, self._report(now))
            if not announced and all(self._connected().values()) and self._hub.subscribed:
                announced = True
                ready(url)
            sent_at = self.relay.oldest_sent_at()
            if sent_at is not None and now - sent_at > self._settings.receipt_timeout_s:
                self._hub.reconnect(f"no receipt within {self._settings.receipt_timeout_s:g} s")
            sent_at = self.commands.oldest_sent_at()
            if self._mqtt.paused:
                pass  # PUBACKs are not read
            elif sent_at is not None and now - sent_at > self._settings.receipt_timeout_s:
                self._mqtt.reconnect(f"no PUBACK within {self._settings.receipt_timeout_s:g} s")
            self._changed.clear()
            try:
                async with asyncio.timeout(_CLOCK_PERIOD_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _connected(self) -> dict[str, bool]:
        return {"mqtt": self._mqtt.connected, "hub": self._hub.connected}

    def _sides(self) -> dict[str, Side]:
        return {
            "mqtt": Side(self._mqtt.connected, self._mqtt.last_error),
            "hub": Side(self._hub.connected, self._hub.last_error),
        }

    def _report(self, now: float) -> bytes:
        mqtt, hub = self._mqtt, self._hub
        return status.report(
            self._settings.bridge_name,
            self.relay,
            self.commands,
            now,
            time.time_ns() // 1000,
            mqtt=status.side(
                connected=mqtt.connected,
                last_error=mqtt.last_error,
                paused=mqtt.paused,
                version="5" if mqtt.mqtt5 else "3.1.1",
            ),
            hub=status.side(connected=hub.connected, last_error=hub.last_error),
        )

    def state(self) -> State:
        """Return the state of both sides, for /readyz."""
        return {
            "mqtt": {
                "ok": self._mqtt.connected and not self._mqtt.contested,
                "detail": self._mqtt.detail,
                "paused": self._mqtt.paused,
            },
            "hub": {"ok": self._hub.connected, "detail": self._hub.detail},
        }

    # From the broker.

    def mqtt_connected(self, connack: Accepted) -> None:
        """Begin a new epoch: see relay.py."""
        self.relay.new_epoch()
        self.commands.in_flight = min(IN_FLIGHT, connack.receive_maximum or IN_FLIGHT)
        self.commands.packet_bytes = connack.packet_bytes
        self._pump_commands()

    def mqtt_messages(self, burst: list[Publish]) -> None:
        """Hold what came, send what may go, stop reading when full."""
        self.relay.received(burst, time.monotonic())
        self._pump()

    def mqtt_too_large(self, topic: bytes, size: int) -> None:
        """Count it; the message itself comes to be acknowledged only."""
        self._drops.too_large(topic, size)

    def mqtt_lost(self, reason: str) -> None:  # noqa: ARG002 - the link logs and shows it
        """End the epoch: nothing of it can be acknowledged from now on."""
        self.relay.new_epoch()
        self.commands.mqtt_lost()
        self._answer()

    def mqtt_published(self, mid: int, refusal: str | None) -> None:
        """Answer the hub in order, and publish what waited for that; what has another packet id was the status."""
        if self.commands.acknowledged(mid, refusal):
            if refusal is not None:
                log.warning("command.refused", reason=refusal)
            self._answer()
            self._pump_commands()

    def mqtt_uses(self, mid: int) -> bool:
        """Whether a command waits for its PUBACK under this packet id."""
        return self.commands.uses(mid)

    # From the hub.

    def hub_connected(self) -> None:
        """Ask for commands; send what waits, first what had no receipt."""
        self._hub.subscribe()
        self._pump()
        self._changed.set()

    def hub_receipt(self, ident: int) -> None:
        """Acknowledge in order, go on."""
        self._acknowledge(self.relay.receipt(ident))
        self._pump()

    def hub_lost(self, loss: Loss, reason: str) -> None:
        """Put everything without a receipt back; forget the commands."""
        self.commands.hub_lost()
        self._acknowledge(self.relay.hub_lost(loss, reason))
        self._pump()

    def hub_command(self, index: int, ack_id: str, destination: str, body: bytes, content_type: str | None) -> None:
        """Publish it, if the broker is there."""
        self.commands.received(index, ack_id, destination, body, content_type)
        self._answer()
        self._pump_commands()

    def _pump_commands(self) -> None:
        while self._mqtt.takes_commands and (command := self.commands.to_publish()) is not None:
            mid = self._mqtt.publish(command.topic, command.payload, command.content_type, command.mid)
            self.commands.published(command, mid, time.monotonic())

    def _answer(self) -> None:
        if answers := self.commands.answers():
            self._hub.send(encode_answers(answers))

    def _acknowledge(self, mids: list[bytes]) -> None:
        self._mqtt.acknowledge(mids)
        self._changed.set()

    def _pump(self) -> None:
        """Send what may go now, come back when the rest has lingered long enough; read the broker or pause that."""
        if self._hub.connected:
            now = time.monotonic()
            while (transaction := self.relay.next_transaction(now)) is not None:
                self._hub.send(self._encoded(transaction))
            left = self.relay.linger_left(now)
            if left is not None and self._linger is None:
                self._linger = asyncio.get_running_loop().call_later(left, self._linger_over)
        if self.relay.full:
            self._mqtt.pause()
        elif self._mqtt.paused and not self._stopping.is_set():
            self._mqtt.resume()

    def _encoded(self, transaction: Transaction) -> bytes:
        return encode(
            transaction.ident,
            transaction.messages,
            self._destinations,
            self._properties_again if transaction.again else self._properties,
            counted_before if transaction.again else self._drops.unsendable,
        )

    def _linger_over(self) -> None:
        self._linger = None
        self._pump()
