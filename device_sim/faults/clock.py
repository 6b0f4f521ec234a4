"""Clocks that are wrong: skew, drift, jump. What must be stored carries the wrong time, as it was sent."""

from typing import Literal, Self

from pydantic import Field, model_validator

from device_sim.faults.settings import ClockFault

TEN_YEARS_S = 315_360_000.0


class ClockSkew(ClockFault):
    """The clock is wrong by the same amount all the time, and right again afterwards."""

    kind: Literal["clock-skew"]
    seconds: float = Field(ge=-TEN_YEARS_S, le=TEN_YEARS_S, description="how far it is ahead; negative: behind")

    def offset_s(self, t: float) -> float:
        return 0.0 if self.since(t) is None else self.seconds


class ClockDrift(ClockFault):
    """The clock runs too fast or too slow, and is set right when the fault ends."""

    kind: Literal["clock-drift"]
    ppm: float = Field(ge=-500_000.0, le=500_000.0, description="microseconds that it gains in a second")

    def offset_s(self, t: float) -> float:
        since = self.since(t)
        return 0.0 if since is None else since * self.ppm / 1e6


class ClockJump(ClockFault):
    """The clock is set once, at `at`, and stays so."""

    kind: Literal["clock-jump"]
    seconds: float = Field(ge=-TEN_YEARS_S, le=TEN_YEARS_S, description="how far it is set; negative: back")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.for_s is not None or self.every is not None:
            raise ValueError("a jump stays: it has no `for` and no `every`; use clock-skew")
        return self

    def offset_s(self, t: float) -> float:
        return 0.0 if self.since(t) is None else self.seconds
