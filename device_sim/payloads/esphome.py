"""ESPHome: a topic for each value, `<node>/sensor/<object id>/state` `21.5`, retained, no time: the hub stamps its own."""

import re
from collections.abc import Sequence
from typing import Final

from device_sim.message import Value, Will
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Sort

NO_VALUE: Final = b"nan"
COMPONENTS: Final[dict[Sort, re.Pattern[str]]] = {
    "number": re.compile(r"(?:sensor|number)\..*"),
    "truth": re.compile(r"(?:binary_sensor|switch)\..*"),
    "text": re.compile(r"(?:text_sensor|select)\..*"),
}


class EspHome:
    """One node; the metric `sensor.uptime` is the state of the object `uptime` of the component `sensor`."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        prefix = device.topic.partition("/{metric}")[0]
        self.device = device.stored_as or prefix
        self._status = f"{prefix}/status"
        self._places = [
            (metric.name, f"{prefix}/{metric.name.replace('.', '/', 1)}/state") for metric in device.measured
        ]
        self._qos = device.qos

    def will(self) -> Will:
        return Will(self._status, b"offline", retain=True)

    def births(self, time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        return (Encoded(self._status, b"online", (), (), time_us, retain=True, qos=self._qos),)

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        messages = []
        for (name, topic), value in zip(self._places, values, strict=True):
            if value is None:
                messages.append(Encoded(topic, NO_VALUE, (), (), time_us, False, True, self._qos))
                continue
            payload = (b"ON" if value else b"OFF") if isinstance(value, bool) else str(value).encode()
            messages.append(Encoded(topic, payload, (name,), (value,), time_us, False, True, self._qos))
        return messages


FORMAT: Final = Format(
    "esphome",
    EspHome,
    "{device}/{metric}/state",
    re.compile(r"[^+#\0]*\{device\}/\{metric\}/state"),
    metric=re.compile(r"(?:sensor|number|binary_sensor|switch|text_sensor|select)\.[a-z0-9_]+"),
    metric_example="sensor.temperature",
    id_example="livingroom",
    by_sort=COMPONENTS,
    decoder="esphome",
    dots_are_levels=True,
)
