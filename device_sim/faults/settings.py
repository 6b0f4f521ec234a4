"""What all faults declare: when they act, and on which devices. What they do is in their own files.

Five families, by where a fault sits on the way from a sensor to the broker:

    ValueFault      changes a value                     the readings that must be stored change with it
    SamplingFault   whether and how often is sampled    fewer or more messages
    ClockFault      the device's clock                  the times that must be stored change with it
    StreamFault     messages on their way               delayed, doubled, damaged
    LinkFault       the connection                      LinkActions in the schedule

Each fault of each device draws from a random source of its own: a fault that is added changes nothing but what it does.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, ClassVar, NamedTuple, Self, TypeAlias

from annotated_types import Len
from pydantic import Field, model_validator

from device_sim.message import LinkActionKind, Value
from device_sim.payloads.format import Encoded
from device_sim.scenario.declared import Declared


class FaultSettings(Declared):
    """One `[[faults]]` or `[[classes.faults]]` table. Each kind adds how strong it is."""

    at: float = Field(default=0.0, ge=0.0, description="first time, in seconds after the start")
    for_s: float | None = Field(
        default=None, gt=0.0, alias="for", description="seconds that it lasts; without it until the end"
    )
    every: float | None = Field(default=None, gt=0.0, description="again after so many seconds, counted from `at`")
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="share of the devices that have it, chosen by seed")
    ids: Annotated[tuple[str, ...], Len(1)] | None = Field(
        default=None, description="the devices that have it, by their ids, instead of `share`"
    )

    @model_validator(mode="after")
    def _check_when_and_who(self) -> Self:
        if self.every is not None and (self.for_s is None or self.for_s >= self.every):
            raise ValueError("`every` needs a shorter `for`: how long it lasts each time")
        if self.ids is not None and "share" in self.model_fields_set:
            raise ValueError("`ids` and `share` both say which devices; give one")
        return self

    def since(self, t: float) -> float | None:
        """Return for how many seconds it has acted at `t` seconds after the start, or None while it rests."""
        since = t - self.at
        if since < 0.0:
            return None
        if self.every is not None:
            since %= self.every
        return since if self.for_s is None or since < self.for_s else None

    def spans(self) -> Iterator[tuple[float, float | None]]:
        """Yield when it begins and ends (None: never); endless where there is `every`."""
        begin = self.at
        while True:
            yield begin, None if self.for_s is None else begin + self.for_s
            if self.every is None:
                return
            begin += self.every


class SampleFaultSettings(FaultSettings):
    """A fault that meets single messages or values while it acts."""

    probability: float = Field(default=1.0, gt=0.0, le=1.0, description="chance of each message while it acts")


ValueChange: TypeAlias = Callable[[float, float, Value | None], Value | None]
"""From the time (seconds after the start), how long the fault has acted, and what the sensor says, to what the device
reports; None: no value."""


class ValueFault(SampleFaultSettings, ABC):
    """A fault of a sensor."""

    metrics: Annotated[tuple[str, ...], Len(1)] | None = Field(
        default=None, description="the metrics that have it; without it all"
    )

    @abstractmethod
    def make(self, rng: random.Random) -> ValueChange:
        """Make it for one metric of one device; it is called for the hit samples only, in the order of time."""


class SamplingFault(SampleFaultSettings, ABC):
    """A fault in when a device sends."""

    copies: ClassVar[int] = 1

    @property
    def samples(self) -> int:
        """How many messages there are instead of one."""
        return self.copies


class ClockFault(FaultSettings, ABC):
    """A fault of the device's clock. Its times stay distinct: see `DeviceClock` in device_sim/schedule/clock.py."""

    @abstractmethod
    def offset_s(self, t: float) -> float:
        """Return how far the clock is ahead, `t` seconds after the start."""

    def regime(self, t: float) -> int:
        """Return 0 or 1: within one the device's times only grow."""
        return int(self.since(t) is not None)


Sent: TypeAlias = tuple[float, Encoded]
"""When to send what."""


class StreamFault(SampleFaultSettings, ABC):
    """A fault of messages that are already made."""

    @abstractmethod
    def send(self, due_s: float, message: Encoded, rng: random.Random) -> Sequence[Sent]:
        """Return what leaves instead of `message`, never before `due_s`."""


class Down(NamedTuple):
    """A time without connection."""

    begin_s: float
    end_s: float | None
    """None: to the end."""
    kind: LinkActionKind
    """How it begins; it ends with CONNECT."""


class LinkFault(FaultSettings, ABC):
    """A fault of the connection."""

    @abstractmethod
    def downs(self, rng: random.Random) -> Iterator[Down]:
        """Yield one device's times without connection, in order; may be endless."""
