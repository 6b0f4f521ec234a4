"""The bridge's counters under their Prometheus names, read when somebody asks; the hot path only adds to integers."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.relay import Relay

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


class BridgeCollector(Collector):
    """Give a relay's counts and the state of both links."""

    def __init__(self, relay: Relay, states: Callable[[], dict[str, bool]]) -> None:
        self._relay = relay
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """Read everything now."""
        counts = self._relay.counts
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"bridge_{name}", text, value=getattr(counts, name))
        dropped = CounterMetricFamily("bridge_dropped", "messages given up, by reason", labels=["reason"])
        for reason, count in counts.dropped.items():
            dropped.add_metric([reason], count)
        yield dropped
        yield GaugeMetricFamily("bridge_unacked_messages", "messages held without a PUBACK", value=self._relay.messages)
        yield GaugeMetricFamily("bridge_unacked_bytes", "bytes of them", value=self._relay.size)
        yield GaugeMetricFamily(
            "bridge_transactions_outstanding", "transactions without a receipt", value=self._relay.outstanding
        )
        connected = GaugeMetricFamily("bridge_connected", "1 while connected to this side", labels=["side"])
        for side, state in self._states().items():
            connected.add_metric([side], int(state))
        yield connected
