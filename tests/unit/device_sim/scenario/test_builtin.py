"""The gallery: each built-in scenario can be read, run and looked at."""

import math
import sys
from collections import defaultdict
from itertools import takewhile
from pathlib import Path

import pytest

from device_sim.cli import main
from device_sim.message import LinkAction, Message
from device_sim.scenario.builtin import find_scenario, names, text_of
from device_sim.scenario.model import WITHOUT_END_S
from device_sim.schedule.schedule import schedule
from tests.support.scenarios import START_US


def test_the_gallery_has_what_the_documentation_promises() -> None:
    assert names() == [
        "cold-chain",
        "factory-line",
        "fleet-mix",
        "home",
        "lorawan-meters",
        "plant",
        "reconnect-storm",
        "smart-building",
    ]


@pytest.mark.parametrize("name", names())
def test_each_runs_for_some_seconds(name: str) -> None:
    scenario = find_scenario(name)
    events = list(takewhile(lambda event: event.due_s < 10, schedule(scenario, scenario.seed, START_US)))
    connected = {event.source for event in events if isinstance(event, LinkAction)}
    heard = {event.source for event in events if isinstance(event, Message)}

    assert connected == set(range(sum(scenario.counts)))
    assert len(heard) > 0.8 * len(connected)
    assert [event.due_s for event in events] == sorted(event.due_s for event in events)


@pytest.mark.parametrize("name", names())
def test_each_says_what_it_is_and_what_it_expects(name: str) -> None:
    scenario = find_scenario(name)

    assert scenario.name == name
    assert 10 < len(scenario.title) < 90
    assert scenario.bounds["loss" if name == "fleet-mix" else "unacknowledged"].limit == 0
    assert scenario.duration <= 120


def test_the_bearing_that_fails_can_be_found_in_the_data() -> None:
    scenario = find_scenario("factory-line")
    last: dict[str, dict[str, float]] = defaultdict(dict)
    for event in schedule(scenario, scenario.seed, START_US):
        if isinstance(event, Message) and event.device.startswith("press-"):
            last[event.device] |= {m: v for m, v in zip(event.metrics, event.values, strict=True) if type(v) is float}
    by_vibration = sorted(last, key=lambda device: last[device]["vibration"])

    assert by_vibration[-1] == "press-07"
    assert last["press-07"]["vibration"] > 10 * last[by_vibration[-2]]["vibration"]
    assert max(last, key=lambda device: last[device]["bearing_temperature"]) == "press-07"


def test_list_show_and_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["device-sim", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert not caught.value.code
        return capsys.readouterr().out

    assert [line.split()[0] for line in said("list").splitlines()] == names()
    assert said("show", "home") == text_of("home")
    assert said("check", "home").startswith("home: 26 devices")


def test_a_wrong_file_has_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.toml"
    file.write_text('name = "x"\n')
    monkeypatch.setattr(sys, "argv", ["device-sim", "check", str(file)])
    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert f"{file}:1: classes: is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("devices", "counts"),
    [(1, [1]), (3, [1, 1, 1]), (6, [1] * 6), (20, [5, 3, 2, 4, 2, 4]), (500, [120, 80, 40, 100, 60, 100])],
)
def test_a_scenario_of_another_size_keeps_its_proportions(devices: int, counts: list[int]) -> None:
    plant = find_scenario("plant").sized(devices, 40.0)

    assert plant.counts == counts
    rates = [one.rate * count for one, count in zip(plant.classes, counts, strict=True)]
    assert sum(rates) == pytest.approx(40.0)
    assert len({one.rate for one in plant.classes}) == 1  # as in the file, where all are alike


def test_a_scenario_without_end_keeps_its_times() -> None:
    endless, line = find_scenario("factory-line").lasting(math.inf), find_scenario("factory-line")

    assert endless.duration == WITHOUT_END_S
    assert endless.classes == line.classes


def test_the_demos_plant_has_units_and_nothing_that_only_a_test_would_have() -> None:
    plant = find_scenario("plant")
    sensors = {name: sensor for one in plant.classes for name, sensor in one.sensors.items()}
    without = {name for name, sensor in sensors.items() if not sensor.unit}

    assert without == {"strokes", "state", "Motor/Running"}, "a count and states"
    assert not plant.faults
    assert not any(one.faults for one in plant.classes)
