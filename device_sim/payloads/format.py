"""What a payload format is to the simulator: its topic, what it can carry, and what makes the encoder of one device.

An encoder turns the values of one moment into messages, and says for each what the hub must make of it: device, metrics,
values and time after decoding, with the hub's default routes and a bridge between.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from device_sim.message import Value, Will

Sort: TypeAlias = Literal["number", "text", "truth"]

NUMBERS: Final[frozenset[Sort]] = frozenset({"number"})
ALL_SORTS: Final[frozenset[Sort]] = frozenset({"number", "text", "truth"})
MS: Final = 1_000
S: Final = 1_000_000


class Encoded(NamedTuple):
    """A message before it has a number and a time to be sent; see `Message` for the fields."""

    topic: str
    payload: bytes
    metrics: tuple[str, ...]
    values: tuple[Value, ...]
    time_us: int
    timed: bool = True
    retain: bool = False
    qos: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of a device."""

    name: str
    unit: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Device:
    """What an encoder needs to know of its device."""

    id: str
    topic: str
    """With `{metric}` left in it where the format has a topic for each value."""
    stored_as: str | None
    """The name in the hub, where the file says it."""
    measured: tuple[Measured, ...]
    qos: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(metric.name for metric in self.measured)


MakeRng: TypeAlias = Callable[[], random.Random]
"""Makes the encoder's own random source; most need none, and one weighs 2.5 KiB."""


class Encoder(Protocol):
    """The encoder of one device; `device` is its name in the hub."""

    device: str

    def births(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        """Return what the device publishes when it has connected; `values` only if the format's births carry them."""
        ...

    def will(self) -> Will | None:
        """Return the will of the next connection."""
        ...

    def encode(self, time_us: int, values: Sequence[Value | None]) -> Sequence[Encoded]:
        """Write the values of one moment, in the order of the device's metrics; None is no value."""
        ...


Writer: TypeAlias = Callable[[Sequence[int], Sequence[Sequence[Value | None]]], list[bytes]]
"""From the times and the columns of values of many messages to their payloads."""


class Unannounced:
    """Part of encoders whose devices say nothing when they connect."""

    __slots__ = ()

    def births(self, _time_us: int, _values: Sequence[Value | None]) -> Sequence[Encoded]:
        return ()

    def will(self) -> Will | None:
        return None


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the registry."""

    name: str
    make: Callable[[Device, MakeRng], Encoder]
    topic: str
    """The topic where the class names none."""
    topic_pattern: re.Pattern[str]
    """What another topic must look like for the encoder, with `{device}` in it; the hub's rows say the rest (topics.py)."""
    decoder: str = ""
    """The hub's decoder whose row has these topics; empty for a format that the hub knows by its content."""
    dots_are_levels: bool = False
    """Whether a dot in a metric's name is a level in the topic."""
    step_us: int = MS
    """The finest time that it carries: a device that sends faster would repeat a time."""
    sorts: frozenset[Sort] = ALL_SORTS
    metric: re.Pattern[str] = field(default_factory=lambda: re.compile(r"[^\x00-\x1f\x7f]{1,200}"))
    """What a metric's name must look like."""
    metric_example: str = "temperature"
    id: re.Pattern[str] = field(default_factory=lambda: re.compile(r"[^\x00-\x1f\x7f+#/]{1,100}"))
    """What a device's id must look like."""
    id_example: str = "device-1"
    by_connection: bool = False
    """Whether a message can be read only with the births of its own connection: then none may be kept for the next."""
    nested: bool = False
    """Whether a dot in a metric's name is a level, so that `a` and `a.b` exclude each other."""
    births_carry_values: bool = False
    columns: Callable[[Sequence[Measured]], Writer] | None = None
    """Makes what writes many devices' payloads at once: where one message says all, and nothing in it is the device's own.
    What `make` writes of the same values is the same."""
    by_sort: Mapping[Sort, re.Pattern[str]] | None = None
    """Where the metric's name says what its values are: the names for each."""

    def takes(self, metric: Measured) -> bool:
        """Return whether it can carry such values under such a name."""
        if metric.sort not in self.sorts:
            return False
        return self.by_sort is None or self.by_sort[metric.sort].fullmatch(metric.name) is not None


def stored(names: tuple[str, ...], values: Sequence[Value | None]) -> tuple[tuple[str, ...], tuple[Value, ...]]:
    """Return the metrics and values that are there."""
    if None not in values:
        return names, tuple(values)  # type: ignore[arg-type]  # just looked
    there = [(name, value) for name, value in zip(names, values, strict=True) if value is not None]
    return tuple(name for name, _ in there), tuple(value for _, value in there)
