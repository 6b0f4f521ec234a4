"""Sensors that lie: stuck, spike, drift, NaN. Texts and truth values can be stuck or missing, nothing else."""

import math
import random
from typing import Literal, Self

from pydantic import Field, model_validator

from device_sim.faults.settings import ValueChange, ValueFault
from device_sim.message import Value


class Stuck(ValueFault):
    """The value at the moment it begins is repeated."""

    kind: Literal["stuck"]

    def make(self, rng: random.Random) -> ValueChange:  # noqa: ARG002 - nothing here is random
        kept: Value | None = None
        ends_before = -math.inf

        def change(t: float, since_s: float, value: Value | None) -> Value | None:
            nonlocal kept, ends_before
            if t - since_s > ends_before:  # it has begun, or begun again
                kept = value
            ends_before = t
            return kept

        return change


class Spike(ValueFault):
    """A value that is far off; the next one is right again."""

    kind: Literal["spike"]
    by: float = Field(description="how far off")
    both_ways: bool = Field(default=True, description="whether it may be below as well")

    def make(self, rng: random.Random) -> ValueChange:
        def change(_t: float, _since_s: float, value: Value | None) -> Value | None:
            if not isinstance(value, float):
                return value
            return value - self.by if self.both_ways and rng.random() < 0.5 else value + self.by

        return change


class SensorDrift(ValueFault):
    """The value drifts from the truth: steadily with `per_s`, faster and faster (a machine that fails) with `doubling_s`."""

    kind: Literal["drift"]
    per_s: float = Field(default=0.0, description="what is added for each second that it lasts")
    doubling_s: float | None = Field(default=None, gt=0.0, description="the value doubles every so many seconds")
    digits: int = Field(default=2, ge=0, le=9, description="decimals")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.per_s and self.doubling_s is None:
            raise ValueError("a drift needs `per_s` or `doubling_s`")
        return self

    def make(self, rng: random.Random) -> ValueChange:  # noqa: ARG002 - nothing here is random
        def change(_t: float, since_s: float, value: Value | None) -> Value | None:
            if not isinstance(value, float):
                return value
            # A thousand doublings are beyond any float.
            factor = 1.0 if self.doubling_s is None else 2.0 ** min(since_s / self.doubling_s, 1_000.0)
            return round(value * factor + self.per_s * since_s, self.digits)

        return change


class NotANumber(ValueFault):
    """No value: each format has its own way to say so (null, NaN, nan, is_null, or nothing)."""

    kind: Literal["nan"]

    def make(self, rng: random.Random) -> ValueChange:  # noqa: ARG002 - nothing here is random
        def change(_t: float, _since_s: float, _value: Value | None) -> None:
            return None

        return change
