"""What a scenario says: a fleet, what it sends and when, what goes wrong, who watches, and what must come of it.

Frozen once read. Not here: what a sensor or a fault does (`sensors`, `faults`), the time line (`schedule`).
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from annotated_types import Len
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from device_sim.faults.registry import AnyFault
from device_sim.payloads.registry import FormatName
from device_sim.scenario.declared import Bound, Declared, parse_bound
from device_sim.sensors.registry import AnySensor

MOST_MESSAGES_PER_DEVICE_S = 1_000.0  # one a millisecond: most formats carry no finer time, and times must be distinct

WITHOUT_END_S: Final = 1e10  # three centuries: a schedule has an end


class MisfitError(PydanticCustomError):
    """Keys that do not fit together: `path`, from the table that was checked, is where a person should look."""

    def __new__(cls, problem: str, path: tuple[str | int, ...]) -> Self:
        return super().__new__(cls, "misfit", "{problem}", {"problem": problem, "path": path})


def _check_bound(text: str | float) -> str | float:
    parse_bound(text)
    return text


class Stage(Declared):
    """A part of the run: how many devices are connected at its end, and how fast they send in it."""

    seconds: float = Field(gt=0.0, description="how long it lasts")
    connected: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="share of the devices connected at its end; on the way evenly more or less",
    )
    rate: float = Field(default=1.0, ge=0.0, description="factor on the rates of all classes while it lasts")


class Credentials(Declared):
    """How a device or dashboard logs in; `{device}` is the device's id."""

    username: str = Field(min_length=1, description="user name")
    password: str = Field(default="", repr=False, description="password")


class DeviceClass(Declared):
    """Devices of one kind."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$", description="name of the class")
    count: int | None = Field(default=None, ge=1, description="how many devices")
    weight: float | None = Field(default=None, gt=0.0, description="instead of `count`: share of `devices`")
    id: str = Field(
        default="{class}-{number:05}", description="id of a device; {number} counts within the class from 0"
    )
    format: FormatName = Field(default="json", description="how payloads are written")
    topic: str | None = Field(default=None, description="MQTT topic, {device} is the id; without it the format's own")
    stored_as: str | None = Field(
        default=None, description="device name in the hub where its routes are not the default ones; {device} is the id"
    )
    link: Literal["mqtt", "mqtt5", "stomp-ws", "stomp-tcp"] = Field(default="mqtt", description="protocol")
    credentials: Credentials | None = Field(default=None, description="how it logs in")
    keep_alive_s: int = Field(default=60, ge=1, le=65_535, description="MQTT keep-alive")
    # No Literal[0, 1]: that takes `true`, which is equal to 1.
    qos: int = Field(default=1, ge=0, le=1, description="MQTT quality of service, 0 or 1; with 0 loss cannot be proven")
    rate: float = Field(
        default=1.0, gt=0.0, le=MOST_MESSAGES_PER_DEVICE_S, description="samples a second of one device"
    )
    backfill: bool = Field(
        default=False, description="whether what is measured while offline is kept and sent after the reconnect"
    )
    sensors: Annotated[Mapping[str, AnySensor], Len(1)] = Field(description="what it measures, by metric")
    faults: tuple[AnyFault, ...] = Field(default=(), description="what goes wrong with devices of this class")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.count is None) == (self.weight is None):
            raise ValueError("give either `count` or `weight`")
        return self


class DashboardClass(Declared):
    """Dashboards of one kind: STOMP subscribers."""

    name: str = Field(min_length=1, description="name in the report")
    count: int = Field(default=1, ge=1, description="how many such")
    link: Literal["stomp-ws", "stomp-tcp"] = Field(default="stomp-ws", description="protocol")
    credentials: Credentials | None = Field(default=None, description="how it logs in")
    destinations: Annotated[tuple[str, ...], Len(1)] = Field(
        default=("/topic/readings/#",), description="what it subscribes to"
    )
    reads: Literal["fast", "slow", "stalled"] = Field(
        default="fast", description="fast: at once; slow: `bytes_per_s`; stalled: not at all once subscribed"
    )
    bytes_per_s: float = Field(default=2_000.0, gt=0.0, description="how fast a slow one reads")
    max_rate: float | None = Field(default=None, gt=0.0, description="header max-rate of its SUBSCRIBE")
    on_slow: Literal["conflate", "drop-oldest", "disconnect"] | None = Field(
        default=None, description="header on-slow of its SUBSCRIBE"
    )
    at: float = Field(default=0.0, ge=0.0, description="when it connects, seconds after the start")


class Scenario(Declared):
    """A whole file."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$", description="name of the scenario")
    description: str = Field(default="", description="what it shows")
    seed: int = Field(default=0, description="same seed: same devices, same schedule, same values")
    duration: float = Field(default=60.0, gt=0.0, description="seconds; `stages` must not be longer")
    devices: int | None = Field(default=None, ge=1, description="devices in all, shared out by `weight`")
    stages: tuple[Stage, ...] = Field(default=(), description="the course of the run; without it all connect at once")
    classes: Annotated[tuple[DeviceClass, ...], Len(1)] = Field(description="the devices")
    faults: tuple[AnyFault, ...] = Field(default=(), description="what goes wrong with devices of every class")
    dashboards: tuple[DashboardClass, ...] = Field(default=(), description="who watches")
    expectations: Mapping[str, Annotated[str | float, AfterValidator(_check_bound)]] = Field(
        default={}, description='what must come of it: `loss = 0`, `p99_delivered_ms = "< 250"`'
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [device_class.name for device_class in self.classes]
        if len(set(names)) != len(names):
            second = next(place for place, name in enumerate(names) if name in names[:place])
            raise MisfitError("two classes have the same name", ("classes", second, "name"))
        weighted = [device_class for device_class in self.classes if device_class.weight is not None]
        if bool(weighted) != (self.devices is not None):
            place = next((place for place, one in enumerate(self.classes) if one.weight is not None), None)
            path = ("devices",) if place is None else ("classes", place, "weight")
            raise MisfitError("`devices` is needed where classes have a `weight`, and only there", path)
        if self.devices is not None and min(self.counts) < 1:
            raise MisfitError(f"{self.devices} devices are too few: each class needs at least one", ("devices",))
        # 0.1 s and 0.2 s are more than 0.3 s in binary fractions, not for a person.
        if sum(stage.seconds for stage in self.stages) > self.duration * (1 + 1e-9):
            raise MisfitError("the stages last longer than `duration`", ("stages",))
        return self

    @property
    def counts(self) -> list[int]:
        """How many devices each class has. Shares are rounded so that they add up to `devices`."""
        left = float((self.devices or 0) - sum(device_class.count or 0 for device_class in self.classes))
        weights = sum(device_class.weight or 0.0 for device_class in self.classes)
        counts = []
        for device_class in self.classes:
            if device_class.weight is None:
                counts.append(device_class.count or 0)
            else:
                counts.append(round(left * device_class.weight / weights))
                left, weights = left - counts[-1], weights - device_class.weight
        return counts

    def sized(self, devices: int | None, rate: float | None) -> "Scenario":
        """Return the scenario with so many devices and messages a second in all, in the proportions of its classes.

        Each class keeps at least one device; with fewer devices than classes the first classes remain, with one each.
        """
        classes, counts = self.classes, self.counts
        if devices is not None:
            classes = classes[:devices]
            shares = dict(enumerate(counts[: len(classes)]))
            counts = [1] * len(classes)
            for _ in range(devices - len(classes)):  # the next one where most is missing
                counts[max(shares, key=lambda place: shares[place] / (counts[place] + 0.5))] += 1
        per_s = sum(count * one.rate for one, count in zip(classes, counts, strict=True))
        factor = 1.0 if rate is None else rate / per_s
        sized = tuple(
            one.model_copy(update={"count": count, "weight": None, "rate": one.rate * factor})
            for one, count in zip(classes, counts, strict=True)
        )
        return self.model_copy(update={"classes": sized, "devices": None})

    def lasting(self, seconds: float) -> "Scenario":
        """Return the scenario stretched or shortened to `seconds`.

        Stages, and when faults and dashboards begin, move along. How long a fault lasts and how often it returns stays as
        it is in a longer run, and shrinks in a shorter one, where it would not fit. Without end (`inf`) all stays as it is.
        """
        if seconds == math.inf:
            return self.model_copy(update={"duration": WITHOUT_END_S})
        factor = seconds / self.duration
        return self.model_copy(
            update={
                "duration": seconds,
                "stages": tuple(stage.model_copy(update={"seconds": stage.seconds * factor}) for stage in self.stages),
                "classes": tuple(
                    device_class.model_copy(
                        update={"faults": tuple(moved(fault, factor) for fault in device_class.faults)}
                    )
                    for device_class in self.classes
                ),
                "faults": tuple(moved(fault, factor) for fault in self.faults),
                "dashboards": tuple(
                    dashboard.model_copy(update={"at": dashboard.at * factor}) for dashboard in self.dashboards
                ),
            }
        )

    @property
    def title(self) -> str:
        """The first clause of the description, on one line."""
        return re.split(r"(?<=[.:])\s", " ".join(self.description.split()), maxsplit=1)[0].rstrip(".:")

    @property
    def bounds(self) -> dict[str, Bound]:
        """The expectations as comparisons."""
        return {name: parse_bound(text) for name, text in self.expectations.items()}


SHRINKS: Final = ("for_s", "every", "within_s", "scatter_s")


def moved(fault: AnyFault, factor: float) -> AnyFault:
    """Return `fault` in a scenario that lasts `factor` times as long."""
    update = {"at": fault.at * factor}
    if factor < 1.0:
        values = {name: getattr(fault, name, None) for name in SHRINKS}
        update |= {name: value * factor for name, value in values.items() if value is not None}
    return fault.model_copy(update=update)
