"""When which part is killed: a schedule made of a seed. Pure: the same arguments give the same plan.

Rules: between two kills pass 5 to 15 s, counted from the schedule and not from the recovery, so that a slow recovery
meets the next kill. Every part gets its turn before one gets its second (a shuffled bag), now and then two parts go at
once. The last kill leaves time to come back while the fleet still sends.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from device_sim.errors import BadArgumentError

PARTS: Final = ("hub", "bridge", "postgres", "broker")
SHORTEST_S: Final = 5.0
LONGEST_S: Final = 15.0
DOWN_S: Final = (0.0, 2.0)
"""How long a part stays away before it is started: from at once to what a service manager takes."""
TWO_AT_ONCE: Final = 0.2
LAST_S: Final = 5.0


class Kill(NamedTuple):
    """These parts get SIGKILL at `at_s` and are started again `down_s` later."""

    at_s: float
    parts: tuple[str, ...]
    down_s: float


def parse_parts(text: str) -> tuple[str, ...]:
    """Take `hub,bridge` apart; BadArgumentError names --kill."""
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if unknown := [part for part in parts if part not in PARTS]:
        raise BadArgumentError("--kill", f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return parts


def plan(seed: int, duration_s: float, parts: Sequence[str]) -> tuple[Kill, ...]:
    """Return the kills of a run of `duration_s` seconds, in order."""
    rng = random.Random(f"{seed}/chaos")
    kills: list[Kill] = []
    bag: list[str] = []
    at_s = rng.uniform(SHORTEST_S, LONGEST_S)
    while at_s <= duration_s - LAST_S:
        if not bag:
            bag = rng.sample(list(parts), len(parts))
        victims = [bag.pop()]
        if bag and rng.random() < TWO_AT_ONCE:
            victims.append(bag.pop())
        kills.append(Kill(at_s, tuple(victims), rng.uniform(*DOWN_S)))
        at_s += rng.uniform(SHORTEST_S, LONGEST_S)
    return tuple(kills)
