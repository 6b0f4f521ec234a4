"""The bridge's counters under their Prometheus names, read when somebody asks; the hot path only adds to integers."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.down.commands import Commands
from bridge.observe.status import MAX_ERROR_CHARS, LastError, lag_s
from bridge.relay.relay import Relay

_COUNTERS = {
    "received": "MQTT messages taken over from the broker",
    "received_qos0": "of them at QoS 0: nobody can repeat these",
    "repeated": "redeliveries of messages that were still held; dropped, their first copy is acknowledged",
    "relayed": "messages that the hub confirmed by a receipt",
    "acknowledged": "PUBACKs sent",
    "outdated": "messages confirmed after their MQTT connection had ended: not acknowledged, the broker sends them again",
    "transactions": "transactions sent to the hub",
    "resent": "messages sent to the hub again after a lost connection",
    "refused": "hub connections that ended by ERROR or a close code that blames the bridge",
}


_COMMAND_COUNTERS = {
    "received": "commands from the hub, each once",
    "published": "PUBLISHes of commands, repeats after a reconnect included",
    "acknowledged": "commands that the broker took; their senders got a receipt",
    "refused": "commands that could not be published; their senders got an ERROR",
    "discarded": "commands forgotten with the hub's connection; their senders got an ERROR: the outcome is unknown",
}


class Side(NamedTuple):
    """How one side is."""

    connected: bool
    last_error: LastError | None


class BridgeCollector(Collector):
    """Yield a relay's counts and the state of both links."""

    def __init__(
        self,
        relay: Relay,
        commands: Commands,
        properties_dropped: Mapping[str, int],
        sides: Callable[[], Mapping[str, Side]],
    ) -> None:
        self._relay = relay
        self._commands = commands
        self._properties_dropped = properties_dropped
        self._sides = sides

    def collect(self) -> Iterable[Metric]:
        """Read everything now."""
        relay = self._relay
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"bridge_{name}", text, value=getattr(relay.counts, name))
        for name, text in _COMMAND_COUNTERS.items():
            count = getattr(self._commands.counts, name)
            yield CounterMetricFamily(f"bridge_commands_{name}", text, value=count)
        yield _by_reason("bridge_dropped", "messages given up, by reason", relay.counts.dropped)
        text = "MQTT 5 properties that became no header, by reason"
        yield _by_reason("bridge_properties_dropped", text, self._properties_dropped)
        for name, text, value in (
            ("bridge_unacked_messages", "messages held without a PUBACK", relay.messages),
            ("bridge_unacked_bytes", "bytes of them", relay.size),
            ("bridge_qos0_messages", "of them at QoS 0", relay.qos0_messages),
            ("bridge_transactions_outstanding", "transactions without a receipt", relay.outstanding),
            ("bridge_commands_waiting", "commands without a PUBACK", len(self._commands)),
            ("bridge_lag_seconds", "age of the oldest message without a PUBACK", lag_s(relay, time.monotonic())),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        yield from self._of_sides()

    def _of_sides(self) -> Iterable[Metric]:
        connected = GaugeMetricFamily("bridge_connected", "1 while connected to this side", labels=["side"])
        at = GaugeMetricFamily("bridge_last_error_timestamp_seconds", "when this side last failed", labels=["side"])
        # One line a side, whatever the texts: a new one takes the place of the one before.
        why = GaugeMetricFamily("bridge_last_error", "1: why this side last failed", labels=["side", "text"])
        for side, (state, error) in self._sides().items():
            connected.add_metric([side], int(state))
            if error is not None:
                at.add_metric([side], error.time_us / 1_000_000)
                why.add_metric([side, error.text[:MAX_ERROR_CHARS]], 1)
        yield from (connected, at, why)


def _by_reason(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["reason"])
    for reason, count in counts.items():
        family.add_metric([reason], count)
    return family
