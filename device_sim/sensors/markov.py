"""A state that changes at random times: a machine that idles, runs and fails, a door, a presence detector."""

import random
from itertools import accumulate
from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import Field, NonNegativeFloat, PositiveFloat, StrictBool, StrictStr, model_validator

from device_sim.message import Value
from device_sim.payloads.format import Sort
from device_sim.sensors.settings import EachSensor, Sampler, sort_of


class Markov(EachSensor):
    """A continuous-time Markov chain: it stays in state i for `mean_s[i]` seconds on average, then jumps."""

    kind: Literal["markov"]
    states: Annotated[tuple[StrictBool | StrictStr | float, ...], Len(2)] = Field(
        description="the values; the first is where it begins"
    )
    mean_s: tuple[PositiveFloat, ...] = Field(description="mean seconds in each state")
    jumps: tuple[tuple[NonNegativeFloat, ...], ...] | None = Field(
        default=None, description="for each state the weights of the states that follow; without it all others alike"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        count = len(self.states)
        if len({sort_of(state) for state in self.states}) > 1:
            raise ValueError("`states` are all numbers, all texts or all truth values")
        if len(self.mean_s) != count:
            raise ValueError(f"`mean_s` needs one number for each of the {count} states")
        if self.jumps is not None:
            if len(self.jumps) != count or any(len(row) != count for row in self.jumps):
                raise ValueError(f"`jumps` needs {count} rows of {count} weights")
            if any(row[state] or not any(row) for state, row in enumerate(self.jumps)):
                raise ValueError("each row of `jumps` needs 0 for its own state and a weight above 0 for another")
        return self

    @property
    def sort(self) -> Sort:
        return sort_of(self.states[0])

    def make(self, rng: random.Random) -> Sampler:
        states, leave_rates, everyone = self.states, [1.0 / mean for mean in self.mean_s], range(len(self.states))
        rows = self.jumps or [[float(other != state) for other in everyone] for state in everyone]
        weights = [list(accumulate(row)) for row in rows]
        state, until = 0, -1.0

        def sample(t: float) -> Value:
            nonlocal state, until
            if until < 0.0:
                until = t + rng.expovariate(leave_rates[state])
            while t >= until:
                [state] = rng.choices(everyone, cum_weights=weights[state])
                until += rng.expovariate(leave_rates[state])
            return states[state]

        return sample
