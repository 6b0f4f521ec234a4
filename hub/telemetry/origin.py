"""Where a payload came from, as far as a decoder may know it: computed once for each topic, then cached."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final, Literal, TypeAlias

from hub.telemetry.local_time import LocalTimes

Encoding: TypeAlias = Literal["utf-8", "latin-1"]
JOINT: Final = "."
"""What stands between the levels of a topic that make a device's or a metric's name, and between the keys of a payload."""


class RouteError(ValueError):
    """The operator erred: a telemetry route or format in the settings cannot work, so the program does not start."""


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
    metric: str = ""
    """What the topic says of the metric's name, levels joined by dots; the names in the payload follow it."""
    arrays: bool = False
    """Whether elements of arrays are readings."""
    numbers_in_text: bool = False
    """Whether a number in quotes is a number."""
    gateway: bool = True
    """Whether the payload may name another device than the topic does (device-formats 0.6)."""
    zone: tzinfo = UTC
    """What a time without a zone means."""
    encoding: Encoding = "utf-8"
    """How text is encoded."""
    ignore_time: bool = False
    """Whether the times of the payload are left aside, and those of its receipt count."""
    plain: bool = field(init=False)
    """Whether a flat object of numbers needs nothing of the above: asked for each message, so computed once."""
    local_times: LocalTimes | None = field(init=False, compare=False, repr=False)
    """What is remembered of the topic's times without a zone; None where they are UTC."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", not self.metric and not self.ignore_time)
        is_utc = self.zone is UTC or str(self.zone) == "UTC"
        object.__setattr__(self, "local_times", None if is_utc else LocalTimes(self.zone))

    @property
    def prefix(self) -> str:
        """Return what stands before the names of a payload."""
        return f"{self.metric}{JOINT}" if self.metric else ""

    def scalar_series(self) -> tuple[str, str]:
        """Return (device, metric) for a payload that is one bare value (device-formats section 2).

        The route's device keeps its name, and the metric is what the topic says of it, else `value`; without a device in
        the route the last level is the metric.
        """
        if self.device_in_route:
            return self.device, self.metric or "value"
        device, separator, metric = self.topic.rpartition("/")
        return (device, metric) if separator and device else (self.topic, "value")
