"""Connections that fail: half-open, flapping, reconnect storm, offline.

What a device sends while it is down depends on its class: with `backfill` the messages stay in the schedule and leave
after the reconnect, without it they are never made.
"""

import random
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from device_sim.faults.settings import Down, LinkFault
from device_sim.message import LinkActionKind


class HalfOpen(LinkFault):
    """The socket stays and nothing moves on it: a cable pulled, a NAT entry forgotten. Afterwards a new connection."""

    kind: Literal["half-open"]

    def downs(self, rng: random.Random) -> Iterator[Down]:  # noqa: ARG002 - the same for all
        for begin_s, end_s in self.spans():
            yield Down(begin_s, end_s, LinkActionKind.FREEZE)


class Offline(LinkFault):
    """No connection: a dead zone, a power cut, a device that sleeps (`orderly`: it says good-bye)."""

    kind: Literal["offline"]
    orderly: bool = Field(default=False, description="whether it disconnects in order, so that no will is published")
    scatter_s: float = Field(default=0.0, ge=0.0, description="each device begins up to so many seconds later")

    def downs(self, rng: random.Random) -> Iterator[Down]:
        kind = LinkActionKind.DISCONNECT if self.orderly else LinkActionKind.CUT
        later_s = rng.uniform(0.0, self.scatter_s)
        for begin_s, end_s in self.spans():
            yield Down(begin_s + later_s, None if end_s is None else end_s + later_s, kind)


class Flapping(LinkFault):
    """The connection is lost and made again, over and over while it acts."""

    kind: Literal["flapping"]
    up_s: float = Field(default=1.0, gt=0.0, description="mean seconds that a connection lasts")
    down_s: float = Field(default=0.5, gt=0.0, description="mean seconds without one")

    def downs(self, rng: random.Random) -> Iterator[Down]:
        for begin_s, end_s in self.spans():
            t = begin_s + rng.expovariate(1.0 / self.up_s)
            while end_s is None or t < end_s:
                back_s = t + rng.expovariate(1.0 / self.down_s)
                yield Down(t, back_s if end_s is None else min(back_s, end_s), LinkActionKind.CUT)
                t = back_s + rng.expovariate(1.0 / self.up_s)


class ReconnectStorm(LinkFault):
    """All connections are lost at one moment and come back within `within_s`: a switch restarts."""

    kind: Literal["reconnect-storm"]
    within_s: float = Field(default=0.0, ge=0.0, description="they come back within so many seconds after `for`")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.for_s is None:
            raise ValueError("a reconnect storm needs `for`: how long they are gone")
        if self.every is not None and self.for_s + self.within_s >= self.every:
            raise ValueError("`for` and `within_s` together must be shorter than `every`")
        return self

    def downs(self, rng: random.Random) -> Iterator[Down]:
        for begin_s, end_s in self.spans():
            back_s = None if end_s is None else end_s + rng.uniform(0.0, self.within_s)
            yield Down(begin_s, back_s, LinkActionKind.CUT)
