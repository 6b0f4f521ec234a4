"""The plan of kills: from the seed alone, every part in turn, time left to come back."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.chaos.faults import FAULTS
from device_sim.chaos.plan import (
    DOWN_S,
    FAULT_S,
    LAST_S,
    LONGEST_S,
    PARTS,
    SHORTEST_S,
    Kill,
    Strike,
    parse_names,
    plan,
)
from device_sim.errors import BadArgumentError


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    assert plan(1, 180, PARTS) == plan(1, 180, PARTS)
    assert plan(1, 180, PARTS) != plan(2, 180, PARTS)


def test_a_longer_run_of_a_seed_begins_like_the_shorter_one() -> None:
    short = plan(3, 60, PARTS)

    assert plan(3, 600, PARTS)[: len(short)] == short


@given(
    st.integers(),
    st.floats(1, 3_600),
    st.lists(st.sampled_from(PARTS), min_size=1, unique=True),
    st.lists(st.sampled_from(sorted(FAULTS)), unique=True),
)
def test_any_plan_keeps_its_rules(seed: int, duration_s: float, parts: list[str], faults: list[str]) -> None:
    events = plan(seed, duration_s, parts, faults)
    kills = [event for event in events if isinstance(event, Kill)]
    strikes = [event for event in events if isinstance(event, Strike)]

    assert all(SHORTEST_S <= later.at_s - earlier.at_s <= LONGEST_S for earlier, later in pairwise(events))
    assert all(event.at_s <= duration_s - LAST_S for event in events)
    assert all(DOWN_S[0] <= kill.down_s <= DOWN_S[1] for kill in kills)
    assert all(FAULT_S[0] <= strike.for_s <= FAULT_S[1] for strike in strikes)
    assert all(len(set(kill.parts)) == len(kill.parts) <= 2 for kill in kills)
    counts = Counter([part for kill in kills for part in kill.parts] + [strike.fault for strike in strikes])
    assert max(counts.values(), default=0) - min((counts[name] for name in (*parts, *faults)), default=0) <= 1
    assert len(events) >= (duration_s - LAST_S) // LONGEST_S


def test_parts_are_named_once_each() -> None:
    assert parse_names("hub, bridge,hub", PARTS, "--kill") == ("hub", "bridge")


@pytest.mark.parametrize("text", ["", "hub,", "hub,disk", "HUB"])
def test_an_unknown_part_names_the_option(text: str) -> None:
    with pytest.raises(BadArgumentError, match="--kill"):
        parse_names(text, PARTS, "--kill")
