"""A class's devices measured together: each as if it were alone, in order, on its beats and in its bursts."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from device_sim.faults.settings import SamplingFault
from device_sim.schedule.class_members import Beat, ClassMembers, _turns
from device_sim.schedule.member import KeyedFault, Member
from device_sim.schedule.roster import roster
from device_sim.schedule.windows import BEATS_A_WINDOW, TURNS_A_WINDOW, windows
from tests.support.scenarios import START_US, scenario


def beats(
    count: int, rate: float, duration: float, *faults: dict[str, Any], window_s: float | None = None
) -> list[Beat]:
    """All beats of so many devices, made in windows of the usual size or of `window_s`."""
    wanted = scenario(*faults, count=count, rate=rate, duration=duration)
    members = [
        Member(entry, 1, [KeyedFault(str(place), fault) for place, fault in enumerate(wanted.faults)])
        for entry in roster(wanted)
    ]
    group = ClassMembers(wanted.classes[0], 1, members, [number / rate / count for number in range(count)])
    group.start(START_US)
    per_s, turn_s = (group.rate, group.turn_s) if window_s is None else (BEATS_A_WINDOW / window_s, math.inf)
    return [beat for window in windows(per_s, turn_s, (), duration) for beat in sorted(group.take(window))]


def test_a_window_has_few_beats_of_one_device_however_fast_it_is() -> None:
    """What numpy does for one device at a time takes its time, and nothing is sent meanwhile."""
    ends = [window.end_s for window in windows(1_000.0, 0.001, (), 1.0)]

    assert len(ends) == 1.0 / 0.001 / TURNS_A_WINDOW


def test_each_device_beats_with_its_period_from_its_phase_on() -> None:
    made = beats(4, 2.0, 3.0)

    assert [beat[0] for beat in made] == pytest.approx([n / 8 for n in range(24)])
    assert [beat[1] for beat in made] == [n % 4 for n in range(24)]


@pytest.mark.parametrize("window_s", [0.01, 0.7, 100.0])
def test_windows_of_any_size_give_the_same_beats(window_s: float) -> None:
    """One with less than a beat, one that ends within a period, one with many beats of each device."""
    burst = {"kind": "burst", "factor": 3, "at": 2, "for": 3}

    assert beats(5, 4.0, 9.0, burst, window_s=window_s) == beats(5, 4.0, 9.0, burst)


def test_bursts_are_beats_of_the_same_device_until_its_next() -> None:
    made = [beat for beat in beats(2, 1.0, 4.0, {"kind": "burst", "factor": 4, "at": 1, "for": 1}) if beat[1] == 0]

    assert [beat[0] for beat in made] == [0, 1, 1.25, 1.5, 1.75, 2, 3]
    assert len({beat[2] for beat in made}) == 7
    assert len({beat[3] for beat in made}) > 1


def test_a_burst_that_is_due_after_the_end_is_not_made() -> None:
    assert max(beat[0] for beat in beats(1, 1.0, 2.5, {"kind": "burst", "factor": 10})) < 2.5


def test_nobody_stands_twice_in_one_turn_and_everybody_keeps_its_order() -> None:
    rows = np.array([3, 1, 3, 0, 1, 3, 2])
    turns = _turns(rows)

    assert [rows[turn].tolist() for turn in turns] == [[0, 1, 2, 3], [1, 3], [3]]
    assert all(
        earlier < later
        for row in range(4)
        for earlier, later in pairwise(int(place) for turn in turns for place in turn if rows[place] == row)
    )


def test_only_bursts_measure_more_often() -> None:
    [silent] = scenario({"kind": "drop-out"}).faults

    assert isinstance(silent, SamplingFault)
    assert beats(3, 1.0, 5.0, {"kind": "drop-out"}) == beats(3, 1.0, 5.0)
