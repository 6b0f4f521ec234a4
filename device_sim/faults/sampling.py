"""Devices that send too little or too much: drop-out, burst."""

from typing import ClassVar, Literal

from pydantic import Field

from device_sim.faults.settings import SamplingFault


class DropOut(SamplingFault):
    """The device is silent: its connection stands, its messages are never made."""

    kind: Literal["drop-out"]
    copies: ClassVar[int] = 0


class Burst(SamplingFault):
    """`factor` messages instead of one, evenly within its period, each with values and a time of its own."""

    kind: Literal["burst"]
    factor: int = Field(default=10, ge=2, le=1_000, description="how many messages instead of one")

    @property
    def samples(self) -> int:
        return self.factor
