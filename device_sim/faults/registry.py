"""The kinds of faults a scenario may declare, one line each; `kind` in the file chooses."""

from typing import Annotated, TypeAlias

from pydantic import Field

from device_sim.faults.clock import ClockDrift, ClockJump, ClockSkew
from device_sim.faults.link import Flapping, HalfOpen, Offline, ReconnectStorm
from device_sim.faults.sampling import Burst, DropOut
from device_sim.faults.stream import Duplicate, Jitter, Malformed, OutOfOrder, Oversize
from device_sim.faults.values import NotANumber, SensorDrift, Spike, Stuck

AnyFault: TypeAlias = Annotated[
    Stuck
    | Spike
    | SensorDrift
    | NotANumber
    | DropOut
    | Burst
    | ClockSkew
    | ClockDrift
    | ClockJump
    | Jitter
    | OutOfOrder
    | Duplicate
    | Malformed
    | Oversize
    | HalfOpen
    | Offline
    | Flapping
    | ReconnectStorm,
    Field(discriminator="kind"),
]
