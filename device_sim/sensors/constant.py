"""A value that never changes: a set-point, a firmware version, a closed door."""

import random
from typing import Literal

from pydantic import Field, StrictBool, StrictStr

from device_sim.message import Value
from device_sim.payloads.format import Sort
from device_sim.sensors.settings import EachSensor, Sampler, sort_of


class Constant(EachSensor):
    """Always the same value."""

    kind: Literal["constant"]
    value: StrictBool | StrictStr | float = Field(description="number, text or truth value")

    @property
    def sort(self) -> Sort:
        return sort_of(self.value)

    def make(self, rng: random.Random) -> Sampler:  # noqa: ARG002 - nothing here is random
        value: Value = self.value

        def sample(_t: float) -> Value:
            return value

        return sample
