"""InfluxDB line protocol: `env,device=probe-1 temperature=21.5,ok=true 1795190400123000000`, a line a measurement."""

import re
from collections.abc import Sequence
from typing import Final

from device_sim.message import Value
from device_sim.payloads.format import Device, Encoded, Format, MakeRng, Unannounced, stored
from device_sim.payloads.topics import ANY_TOPIC

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9_-]*"


class InfluxLines(Unannounced):
    """One payload a moment; the metric `env.temperature` is the field `temperature` of the measurement `env`."""

    def __init__(self, device: Device, _make_rng: MakeRng) -> None:
        self.device = device.stored_as or device.id
        self._tag = device.id.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")
        self._topic = device.topic
        self._names = device.names
        self._places = [tuple(name.split(".", 1)) for name in self._names]
        self._qos = device.qos

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        lines: dict[str, list[str]] = {}
        for (measurement, field), value in zip(self._places, values, strict=True):
            if value is not None:
                lines.setdefault(measurement, []).append(f"{field}={_field_value(value)}")
        if not lines:  # a line needs a field: there is nothing to say
            return ()
        payload = "\n".join(
            f"{measurement},device={self._tag} {','.join(fields)} {time_us}000" for measurement, fields in lines.items()
        )
        return (Encoded(self._topic, payload.encode(), *stored(self._names, values), time_us, qos=self._qos),)


def _field_value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


FORMAT: Final = Format(
    "influx",
    InfluxLines,
    "influx/{device}",
    ANY_TOPIC,
    metric=re.compile(rf"{_WORD}\.{_WORD}"),
    metric_example="env.temperature",
    id_example="probe-1",
)
