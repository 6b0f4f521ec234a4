"""`/topic/$SYS/hub/stats`: the hub's own figures, once a second, for those who subscribed."""

import asyncio

import orjson

from hub.broker.broker import Broker
from hub.broker.publication import HUB, JSON_HEADERS
from hub.topics.destinations import Destination, Kind
from hub.transports.services import Services

DESTINATION = Destination(Kind.TOPIC, "$SYS/hub/stats")
PERIOD_S = 1.0
LAG_PERIOD_S = 0.25


class LoopLag:
    """How late the event loop is, which is behind every latency that clients see: a timer measures it."""

    def __init__(self) -> None:
        self.last_s = 0.0
        self.highest_s = 0.0  # since the last `take_highest`
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + LAG_PERIOD_S
        self._timer = loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_highest(self) -> float:
        """Return the highest lag since the last call, in s."""
        highest, self.highest_s = self.highest_s, 0.0
        return highest

    def _tick(self) -> None:
        now = asyncio.get_running_loop().time()
        self.last_s = max(0.0, now - self._due)
        self.highest_s = max(self.highest_s, self.last_s)
        self.start()


class StatsTopic:
    """Publishes totals; rates are the difference of two messages."""

    def __init__(self, broker: Broker, services: Services, lag: LoopLag) -> None:
        self._broker = broker
        self._services = services
        self._lag = lag
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._tick)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self.start()
        if not self._broker.wanted(DESTINATION.name):
            return
        counters = self._broker.counters
        body = {
            "connections": len(self._services.connections),
            "subscriptions": self._broker.subscriptions,
            "messages_in": counters.messages_in,
            "messages_out": counters.messages_out,
            "dropped": sum(counters.dropped.values()),
            "loop_lag_s": round(self._lag.take_highest(), 4),
        }
        self._broker.publish_one(DESTINATION, orjson.dumps(body), JSON_HEADERS, HUB)
