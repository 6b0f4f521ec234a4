"""`/topic/$SYS/hub/stats`: the hub's own figures, once a second, for those who subscribed."""

import asyncio

import orjson

from hub.broker.broker import Broker
from hub.broker.publication import HUB, JSON_HEADERS
from hub.observe.loop_lag import LoopLag
from hub.topics.destinations import Destination, Kind
from hub.transports.services import Services

DESTINATION = Destination(Kind.TOPIC, "$SYS/hub/stats")
PERIOD_S = 1.0


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
