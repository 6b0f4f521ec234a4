"""Where a payload came from, as far as a decoder may know it: computed once for each topic, then cached."""

from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class Origin:
    """One topic under one route, with what the route says about payloads there.

    `device` is the part of the topic that the route calls the device, or the whole topic where it names none. `rest` is
    what follows the part that the route spells out: the levels under its `#` (`zigbee2mqtt/#` on
    `zigbee2mqtt/living/climate/set`: `living/climate/set`), or the part behind the device for a firmware whose topics
    begin with it (Shelly: `events/rpc`).
    """

    topic: str
    device: str
    device_in_route: bool = True
    rest: str = ""
    arrays: bool = False
    """Whether elements of arrays are readings."""
    numbers_in_text: bool = False
    """Whether a number in quotes is a number."""
    gateway: bool = True
    """Whether the payload may name another device than the topic does (device-formats 0.6)."""
    zone: tzinfo = UTC
    """What a time without a zone means."""

    def scalar_series(self) -> tuple[str, str]:
        """Return (device, metric) for a payload that is one bare value (device-formats section 2).

        The route's device keeps its name and the metric is `value`; without one the last level is the metric.
        """
        if self.device_in_route:
            return self.device, "value"
        device, separator, metric = self.topic.rpartition("/")
        return (device, metric) if separator and device else (self.topic, "value")
