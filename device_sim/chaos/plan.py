"""When which part is killed, or what else happens: a schedule made of a seed. Pure: the same arguments, the same plan.

Rules: between two of them pass 5 to 15 s, counted from the schedule and not from the recovery, so that a slow recovery
meets the next kill. Every part and fault gets its turn before one gets its second (a shuffled bag), now and then two
parts go at once. The last one leaves time to come back while the fleet still sends.
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
FAULT_S: Final = (2.0, 5.0)
"""How long a fault lasts that has a length."""
TWO_AT_ONCE: Final = 0.2
LAST_S: Final = 5.0


class Kill(NamedTuple):
    """These parts get SIGKILL at `at_s` and are started again `down_s` later."""

    at_s: float
    parts: tuple[str, ...]
    down_s: float


class Strike(NamedTuple):
    """This fault happens at `at_s` and lasts `for_s`, where it has a length."""

    at_s: float
    fault: str
    for_s: float


def parse_names(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    """Take `hub,bridge` apart; BadArgumentError names the option."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise BadArgumentError(option, f"{unknown[0]!r} is none of {', '.join(known)}")
    return names


def plan(seed: int, duration_s: float, parts: Sequence[str], faults: Sequence[str] = ()) -> tuple[Kill | Strike, ...]:
    """Return what happens in a run of `duration_s` seconds, in order."""
    rng = random.Random(f"{seed}/chaos")
    events: list[Kill | Strike] = []
    bag: list[str] = []
    at_s = rng.uniform(SHORTEST_S, LONGEST_S)
    while at_s <= duration_s - LAST_S:
        if not bag:
            bag = rng.sample([*parts, *faults], len(parts) + len(faults))
        victims = [bag.pop()]
        if victims[0] in faults:
            events.append(Strike(at_s, victims[0], rng.uniform(*FAULT_S)))
        else:
            if bag and rng.random() < TWO_AT_ONCE and bag[-1] in parts:
                victims.append(bag.pop())
            events.append(Kill(at_s, tuple(victims), rng.uniform(*DOWN_S)))
        at_s += rng.uniform(SHORTEST_S, LONGEST_S)
    return tuple(events)
