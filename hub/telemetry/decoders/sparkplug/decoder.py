"""Sparkplug B: from one message of an edge node to readings (device-formats section 5).

The device is `<group>/<node>` for a node's own metrics, else `<group>/<node>/<device>`. Births carry current values, so they
are readings as well as the names, types and aliases that data messages need. What data cannot be resolved with is never
guessed: those metrics are refused as `needs_rebirth`, and the node is asked for its births.

Behind a gap in `seq` data are read with the births that are known: what was lost is nearly always data, waiting would
break the order of durability, and the rebirth that is asked for replaces everything.

States have the time of receipt: a will carries the time of its registration, and a node's clock that runs behind must not
make its birth look older than its last death.
"""

from typing import Final

from hub.telemetry.decoders.memory import Memory
from hub.telemetry.decoders.sparkplug import schema, topics, values
from hub.telemetry.decoders.sparkplug.metric_reader import BD_SEQ, MetricReader
from hub.telemetry.decoders.sparkplug.node import (
    MAX_METRICS,
    MAX_NODES,
    STEPS,
    Action,
    Definition,
    Node,
    State,
)
from hub.telemetry.decoders.sparkplug.rebirths import Rebirths
from hub.telemetry.decoders.sparkplug.schema import Metric, Payload
from hub.telemetry.decoders.sparkplug.topics import Address, Kind
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin
from hub.telemetry.validation import name_fault
from storage.reading import Reading

BIRTH: Final = "online"
DEATH: Final = "stale"
_HOST_STATES: Final = frozenset({b"ONLINE", b"OFFLINE"})


class Sparkplug:
    """The decoder; it remembers births, bounded as memory.py says.

    Data of a node that is not remembered are refused as `needs_rebirth`, and it is not asked for its births, which would
    not help.
    """

    def __init__(self, max_nodes: int = MAX_NODES, max_metrics: int = MAX_METRICS) -> None:
        self.nodes = Memory(Node, max_nodes, max_metrics)
        self._rebirths = Rebirths()

    def __call__(self, body: bytes, origin: Origin, received_us: int, notes: Notes) -> list[Reading]:
        """Decode one message; see the head of this file and `Decoder`."""
        address = topics.parse(origin.topic)
        if address.kind is Kind.STATE:
            if topics.NAMESPACE not in origin.topic and not _is_host_state(body):
                raise PayloadError("unknown_topic", "STATE/<host> says ONLINE or OFFLINE, as before Sparkplug 3")
            notes.skip("host_state")
            return []
        if address.kind in topics.COMMANDS:
            notes.skip("command")
            return []
        name = f"{address.prefix}{address.node}"
        if fault := name_fault(name) or (address.device and name_fault(f"{name}/{address.device}")):
            raise PayloadError("bad_device", f"the name {name[:80]!r} {fault}")
        payload = schema.parse(body)
        node = self.nodes.heard(name, received_us)
        message = _Message(address, payload, node, received_us, notes, origin)
        before = node.size
        try:
            message.read(self.nodes.limit(node))
        finally:
            self.nodes.resized(node, before)
        if message.ask and node.remembered and self._rebirths.ask(node.asked, received_us):
            notes.command(address.command_topic, schema.rebirth_command(received_us))
        return message.readings


class _Message:
    """One message of an edge node on its way through the table of states."""

    def __init__(
        self, address: Address, payload: Payload, node: Node, received_us: int, notes: Notes, origin: Origin
    ) -> None:
        self._address = address
        self._payload = payload
        self._node = node
        self._received_us = received_us
        self._notes = notes
        device = f"{address.node}/{address.device}" if address.device else address.node
        self._reader = MetricReader(device, payload.timestamp_ms, received_us, notes, origin)
        self.ask = False

    @property
    def readings(self) -> list[Reading]:
        return self._reader.readings

    def read(self, limit: int) -> None:
        """Act as the table says; `limit` is the number of metrics that may be remembered of the node."""
        node, payload, kind = self._node, self._payload, self._address.kind
        if kind is Kind.NDEATH and not node.owns(payload.value_of(BD_SEQ, node.bd_seq_alias)):
            self._notes.skip("old_will")
            return
        step = STEPS[node.state, kind]
        node.state = step.then
        if kind is Kind.NBIRTH:
            node.sequence.begin(payload.seq, payload.timestamp_ms)
        elif kind is not Kind.NDEATH:
            node.sequence.take(payload.seq, payload.timestamp_ms, self._received_us)
        if step.action is Action.BIRTH:
            for device in node.born_devices():
                self._state(device, online=False)
            node.clear()
            node.bd_seq = payload.value_of(BD_SEQ)
            node.bd_seq_alias = payload.alias_of(BD_SEQ)
            node.asked.answer()
        if step.action in {Action.BIRTH, Action.DEVICE_BIRTH}:
            self._birth(limit)
        elif step.action is Action.DATA:
            self._data()
        elif step.action is Action.DEVICE_DEATH:
            node.bury(self._address.device)
            self._state(self._address.device, online=False)
        else:
            self._state("", online=False)
            for device in node.born_devices():
                self._state(device, online=False)
            node.clear()
        # A gap in what an unknown node sends says nothing more than that it is unknown.
        gap = node.sequence.gap(self._received_us) and node.state is State.ONLINE
        self.ask = self.ask or step.ask or gap

    def _state(self, device: str, *, online: bool) -> None:
        name = f"{self._address.node}/{device}" if device else self._address.node
        self._notes.state(name, online, BIRTH if online else DEATH, self._received_us)

    def _birth(self, limit: int) -> None:
        self._state(self._address.device, online=True)
        defined = [
            (metric, definition)
            for metric in self._payload.metrics
            if (definition := self._definition(metric)) is not None
        ]
        left_out = self._node.bear(self._address.device, (definition for _, definition in defined), limit)
        if left_out:
            self._notes.fault("too_many_metrics", f"{left_out} metrics of the birth cannot be remembered")
        for metric, definition in defined:
            self._reader.read(metric, definition, definition.birth_ms)

    def _definition(self, metric: Metric) -> Definition | None:
        name, datatype = metric.name, metric.datatype
        if name is None:
            self._notes.fault("bad_metric", "a metric of a birth has no name")
        elif fault := name_fault(name):
            self._notes.fault("bad_metric", f"{name[:80]!r} {fault}")
        elif datatype is None or not values.known(datatype):
            self._notes.fault("bad_datatype", f"{name!r}: there is no datatype {datatype}")
        else:
            unit = self._reader.unit(metric, name)
            return Definition(self._address.device, name, datatype, metric.alias, unit, metric.timestamp_ms)
        return None

    def _data(self) -> None:
        for metric in self._payload.metrics:
            definition = self._node.find(self._address.device, metric.name, metric.alias)
            if definition is None:
                # A node that was born again since it was asked has nothing to add: the requests would never end.
                self.ask = self.ask or not self._node.asked.in_vain(self._received_us)
                self._notes.fault("needs_rebirth", f"{_called(metric)} is not in a birth that the hub has seen")
                continue
            if not _agrees(metric.datatype, definition.datatype):
                born, sent = values.name(definition.datatype), values.name(metric.datatype or 0)
                self._notes.fault("bad_datatype", f"{definition.name[:80]!r} was born {born} and is sent as {sent}")
                continue
            stamp = metric.timestamp_ms
            if stamp == definition.birth_ms and not metric.is_historical:
                # Encoders whose clock stands still (Tahu's Python module takes the time once, at import) would have all
                # their values but the first dropped as repeats.
                stamp = self._payload.timestamp_ms or stamp
            self._reader.read(metric, definition, stamp)


def _is_host_state(body: bytes) -> bool:
    """Return whether a body is a host's STATE before version 3, and not another message on a topic of that name."""
    return body in _HOST_STATES or (body.startswith(b"{") and body.endswith(b"}") and b'"online"' in body)


def _agrees(sent: int | None, born: int) -> bool:
    """Return whether a data message's datatype, where it has one, can be of the metric that was born under its alias."""
    return sent is None or sent == born or {sent, born} <= values.TEXTS


def _called(metric: Metric) -> str:
    return f"alias {metric.alias}" if metric.name is None else f"metric {metric.name[:80]!r}"
