"""Shelly Gen2 and later: JSON-RPC notifications on `<prefix>/events/rpc`, with only what has changed.

After it has connected a device sends everything (NotifyFullStatus), then the changed values (NotifyStatus), and nothing
when nothing has changed. Time in seconds with two decimals.
"""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from device_sim.message import Value, Will
from device_sim.payloads.documents import Planter
from device_sim.payloads.format import MS, Device, Encoded, Format, MakeRng, stored

_NO_READING: Final = r"(?!.*\.(?:id|source|by_minute|minute_ts|errors|tF)(?:\.|$))"
_COMPONENT: Final = r"(?!(?:sys|wifi|cloud|mqtt|ble|ws|script)[.:])[a-z][a-z0-9]*:[0-9]+"


class Shelly:
    """One device; its name in the hub is the prefix of its topics."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        prefix = device.topic.removesuffix("/events/rpc")
        self.device = device.stored_as or prefix
        self._topic, self._online = device.topic, f"{prefix}/online"
        self._head = {"src": device.id, "dst": f"{prefix}/events"}
        self._names = device.names
        self._last: list[Value | None] = []
        self._qos = device.qos

    def will(self) -> Will:
        return Will(self._online, b"false", retain=True)

    def births(self, time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        self._last = []
        return (Encoded(self._online, b"true", (), (), time_us, retain=True, qos=self._qos),)

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        names: tuple[str, ...]
        if self._last:
            changed = [place for place, value in enumerate(values) if value != self._last[place]]
            if not changed:
                return ()
            names, method = tuple(self._names[place] for place in changed), "NotifyStatus"
            sent: Sequence[Value | None] = [values[place] for place in changed]
        else:
            names, method, sent = self._names, "NotifyFullStatus", values
        self._last = list(values)
        status = Planter(names).plant(sent)
        for component, below in status.items():
            if isinstance(below, dict):
                status[component] = {"id": int(component.partition(":")[2]), **below}
        document = {**self._head, "method": method, "params": {"ts": time_us / 1e6, **status}}
        return (Encoded(self._topic, orjson.dumps(document), *stored(names, sent), time_us, qos=self._qos),)


FORMAT: Final = Format(
    "shelly",
    Shelly,
    "{device}/events/rpc",
    re.compile(r"[^+#\0]*\{device\}[^+#\0{}]*/events/rpc"),
    step_us=10 * MS,
    sorts=frozenset({"number", "truth"}),
    metric=re.compile(rf"{_NO_READING}{_COMPONENT}(?:\.[A-Za-z][A-Za-z0-9_]*)+"),
    metric_example="switch:0.apower",
    id_example="shellyplus1pm-4417939341dc",
    nested=True,
    decoder="shelly",
)
