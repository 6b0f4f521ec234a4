"""Each sensor's statistics, with fixed seeds, and nothing random beyond the seed."""

import math
import random
from collections.abc import Iterable
from itertools import pairwise
from statistics import correlation, fmean, pstdev
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from device_sim.message import Value
from device_sim.sensors.curves import NORMALS
from device_sim.sensors.registry import AnySensor
from device_sim.sensors.settings import SensorSettings

START = 1_795_132_800.0  # 2026-11-20T00:00Z
DAY_S = 86_400
SENSOR: TypeAdapter[SensorSettings] = TypeAdapter(AnySensor)

EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {"value": 4.5},
    "sine": {"period_s": 60, "noise": 0.1},
    "random-walk": {"step": 0.5},
    "ou": {"mean": 20, "sigma": 2, "tau_s": 30},
    "daily": {"mean": 15, "swing": 5, "sigma": 0.3},
    "markov": {"states": ["a", "b"], "mean_s": [30, 10]},
    "counter": {"per_s": 2, "noise": 0.5},
    "battery": {"lasts_s": 1000},
    "gps": {"track": [[53.55, 9.99], [52.52, 13.4]]},
    "temperature": {},
    "humidity": {},
    "pressure": {},
}


def make(kind: str, **parameters: Any) -> SensorSettings:
    return SENSOR.validate_python({"kind": kind, **parameters})


def all_series(sensor: SensorSettings, seeds: Iterable[int], step_s: float, count: int) -> list[list[Any]]:
    """What devices with these seeds measure, each `count` times; a tuple where the sensor has parts."""
    measure = sensor.gauge([random.Random(seed) for seed in seeds])
    everyone = np.arange(len(list(seeds)))
    moments = [measure(everyone, np.full(len(everyone), START + n * step_s)) for n in range(count)]
    columns = [list(zip(*moment, strict=True)) if sensor.parts else moment[0] for moment in moments]
    return [list(values) for values in zip(*columns, strict=True)]


def series(sensor: SensorSettings, seed: int, step_s: float, count: int) -> list[Any]:
    [values] = all_series(sensor, [seed], step_s, count)
    return values


def lag_one(values: list[float]) -> float:
    return correlation(values[:-1], values[1:])


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_seed_gives_one_series(kind: str) -> None:
    sensor = make(kind, **EXAMPLES[kind])

    assert series(sensor, 7, 1.0, 200) == series(sensor, 7, 1.0, 200)


@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {"constant"}))
def test_another_seed_gives_another_series(kind: str) -> None:
    sensor = make(kind, **EXAMPLES[kind])

    assert series(sensor, 7, 1.0, 200) != series(sensor, 8, 1.0, 200)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_device_measures_the_same_whoever_measures_with_it(kind: str) -> None:
    sensor = make(kind, **EXAMPLES[kind])
    together = all_series(sensor, range(20), 1.0, 50)

    assert together == [series(sensor, seed, 1.0, 50) for seed in range(20)]


@pytest.mark.parametrize("kind", ["temperature", "humidity", "pressure", "ou", "daily", "random-walk"])
def test_neighbouring_values_are_alike(kind: str) -> None:
    """Lag-1 autocorrelation above 0.9 at one sample a second: no white noise."""
    assert lag_one(series(make(kind, **EXAMPLES[kind]), 3, 1.0, 4_000)) > 0.9


def test_the_table_of_normals_has_mean_0_variance_1_and_the_normal_distributions_tails() -> None:
    assert fmean(NORMALS.tolist()) == pytest.approx(0.0, abs=1e-12)
    assert pstdev(NORMALS.tolist()) == pytest.approx(1.0, abs=1e-12)
    assert sum(abs(z) < 1.0 for z in NORMALS.tolist()) / len(NORMALS) == pytest.approx(0.6827, abs=0.002)
    assert sum(abs(z) > 3.0 for z in NORMALS.tolist()) / len(NORMALS) == pytest.approx(0.0027, abs=0.0005)


@pytest.mark.parametrize("value", [4.5, True, "2026.11"])
def test_constant_never_changes_and_keeps_its_type(value: Value) -> None:
    values = series(make("constant", value=value), 1, 10.0, 5)

    assert values == [value] * 5
    assert type(values[0]) is type(value)


def test_sine_has_the_mean_amplitude_and_noise_that_were_asked_for() -> None:
    values = series(make("sine", mean=10, amplitude=3, period_s=100, noise=0.5, digits=6, phase=0), 2, 1.0, 20_000)
    clean = [10 + 3 * math.sin(math.tau * (START + n) / 100) for n in range(20_000)]
    noise = [value - exact for value, exact in zip(values, clean, strict=True)]

    assert fmean(values) == pytest.approx(10, abs=0.02)
    assert pstdev(noise) == pytest.approx(0.5, abs=0.02)
    assert abs(lag_one(noise)) < 0.03  # white


def test_random_walk_spreads_with_the_square_root_of_time() -> None:
    sensor = make("random-walk", step=0.5, digits=9)
    ends = [values[-1] for values in all_series(sensor, range(1_500), 100.0, 10)]

    assert fmean(ends) == pytest.approx(0.0, abs=1.2)
    assert pstdev(ends) == pytest.approx(0.5 * math.sqrt(900), rel=0.06)


def test_random_walk_stays_between_its_walls_and_visits_all_of_the_room() -> None:
    walks = all_series(make("random-walk", start=5, step=2, low=0, high=10), range(50), 1.0, 400)
    values = [value for walk in walks for value in walk]

    assert 0 <= min(values) < 0.5
    assert 9.5 < max(values) <= 10
    assert fmean(values) == pytest.approx(5, abs=0.6)


@pytest.mark.parametrize("step_s", [1.0, 15.0, 60.0])
def test_ou_has_mean_deviation_and_memory_at_any_spacing(step_s: float) -> None:
    devices = all_series(make("ou", mean=20, sigma=2, tau_s=30, digits=6), range(200), step_s, 300)
    values = [value for device in devices for value in device]
    pairs = [pair for device in devices for pair in pairwise(device)]

    assert fmean(values) == pytest.approx(20, abs=0.15)
    assert pstdev(values) == pytest.approx(2, abs=0.1)
    assert correlation(*zip(*pairs, strict=True)) == pytest.approx(math.exp(-step_s / 30), abs=0.02)


def test_ou_with_uneven_spacing_forgets_by_the_time_that_passed() -> None:
    measure = make("ou", sigma=1, tau_s=10, digits=9).gauge([random.Random(seed) for seed in range(400)])
    everyone, moments = np.arange(400), []
    t = START
    for turn in range(100):
        t += 1.0 if turn % 2 else 20.0
        moments.append(measure(everyone, np.full(400, t))[0])
    after_short = [
        pair
        for before, after in zip(moments[::2], moments[1::2], strict=True)
        for pair in zip(before, after, strict=True)
    ]

    assert isinstance(moments[0][0], float)
    assert correlation(*zip(*after_short, strict=True)) == pytest.approx(math.exp(-0.1), abs=0.02)


def test_values_are_cut_to_the_range_of_the_sensor() -> None:
    values = series(make("ou", mean=1, sigma=5, tau_s=1, low=0, high=4, digits=1), 5, 1.0, 1_000)

    assert (min(values), max(values)) == (0.0, 4.0)


def test_daily_cycle_peaks_when_it_should() -> None:
    values = series(make("daily", mean=15, swing=5, peak_hour=14), 1, 3_600.0, 24)

    assert values.index(max(values)) == 14
    assert values.index(min(values)) == 2
    assert (max(values), min(values)) == (20.0, 10.0)


def test_afternoons_are_warm_and_dry() -> None:
    def hourly(kind: str) -> list[float]:
        values = series(make(kind), 5, 600.0, 20 * 144)
        return [fmean(values[day * 144 + hour * 6 + n] for day in range(20) for n in range(6)) for hour in range(24)]

    assert hourly("temperature")[15] - hourly("temperature")[3] > 2.0
    assert hourly("humidity")[15] - hourly("humidity")[3] < -6.0


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("temperature", 5, 40), ("humidity", 5, 100), ("pressure", 960, 1060)]
)
def test_a_week_of_weather_stays_in_the_range_of_a_real_sensor(kind: str, low: float, high: float) -> None:
    for values in all_series(make(kind), range(5), 60.0, 7 * 1_440):
        assert low <= min(values)
        assert max(values) <= high


def test_devices_have_means_of_their_own_with_the_spread_that_was_asked_for() -> None:
    sensor = make("ou", mean=50, sigma=0, spread=4, digits=6)
    means = [values[0] for values in all_series(sensor, range(2_000), 1.0, 1)]

    assert fmean(means) == pytest.approx(50, abs=0.3)
    assert pstdev(means) == pytest.approx(4, abs=0.25)


def test_markov_stays_as_long_as_asked_and_jumps_as_weighted() -> None:
    sensor = make(
        "markov", states=["run", "idle", "fault"], mean_s=[100, 50, 20], jumps=[[0, 3, 1], [1, 0, 0], [1, 0, 0]]
    )
    values = series(sensor, 3, 1.0, 400_000)
    changes = [(a, b) for a, b in pairwise(values) if a != b]
    from_run = [b for a, b in changes if a == "run"]

    assert values[0] == "run"
    assert values.count("run") / len(from_run) == pytest.approx(100, rel=0.06)
    assert from_run.count("idle") / len(from_run) == pytest.approx(0.75, abs=0.03)
    # Nearly: a run shorter than the second between two samples is not seen.
    assert [b for a, b in changes if a == "fault"].count("idle") < 0.03 * len(from_run)


def test_markov_may_have_truth_values_which_stay_truth_values() -> None:
    values = series(make("markov", states=[False, True], mean_s=[2, 2]), 3, 1.0, 100)

    assert set(map(type, values)) == {bool}
    assert set(values) == {False, True}


def test_counter_grows_at_its_rate_and_wraps() -> None:
    values = series(make("counter", start=5, per_s=2, noise=0.5), 1, 10.0, 5_000)
    wrapped = series(make("counter", per_s=1, wrap=25), 1, 10.0, 6)

    assert values[0] == 5
    assert all(10 <= b - a <= 30 for a, b in pairwise(values))
    assert values[-1] == pytest.approx(5 + 2 * 10 * 4_999, rel=0.01)
    assert wrapped == [0, 10, 20, 5, 15, 0]


def test_counter_resets_as_often_as_asked_and_only_to_zero() -> None:
    values = series(make("counter", per_s=1, resets_per_day=24), 2, 60.0, 30 * 1_440)
    falls = [b for a, b in pairwise(values) if b < a]

    assert set(falls) == {0.0}
    assert len(falls) == pytest.approx(24 * 30, rel=0.15)


def test_battery_falls_evenly_and_stays_empty_or_is_changed() -> None:
    flat = series(make("battery", lasts_s=1_000, spread=0), 1, 100.0, 14)
    changed = series(make("battery", lasts_s=1_000, spread=0, change=True, end=50), 1, 250.0, 6)

    assert flat == [100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 0, 0, 0]
    assert changed == [100, 88, 75, 62, 100, 88]


def test_aged_batteries_begin_anywhere() -> None:
    sensor = make("battery", lasts_s=1e6, aged=True)
    begins = [values[0] for values in all_series(sensor, range(500), 1.0, 1)]

    assert fmean(begins) == pytest.approx(50, abs=4)


def test_gps_moves_along_its_track_at_its_speed() -> None:
    corners = [(53.0, 10.0), (53.0, 10.2), (53.1, 10.2)]
    places = series(make("gps", track=corners, speed=20, noise_m=0), 4, 10.0, 2_000)

    def metres(a: Any, b: Any) -> float:
        return math.hypot((b[0] - a[0]) * 111_195, (b[1] - a[1]) * 111_195 * math.cos(math.radians(53.05)))

    steps = [metres(a, b) for a, b in pairwise(places)]
    assert all(52.999 <= lat <= 53.101 and 9.999 <= lon <= 10.201 for lat, lon, _ in places)
    assert max(steps) <= 202
    assert sorted(steps)[len(steps) // 2] == pytest.approx(200, rel=0.02)
    assert fmean(speed for _, _, speed in places) == pytest.approx(20, abs=0.1)


def test_gps_noise_is_of_the_size_that_was_asked_for() -> None:
    places = series(make("gps", track=[(53.0, 10.0), (53.0, 11.0)], speed=1, noise_m=5), 4, 1.0, 4_000)

    assert pstdev(lat * 111_195 for lat, _, _ in places) == pytest.approx(5, rel=0.06)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"kind": "random-walk", "start": 5, "low": 6}, "between"),
        ({"kind": "markov", "states": ["a", 1], "mean_s": [1, 1]}, "all numbers"),
        ({"kind": "markov", "states": ["a", "b"], "mean_s": [1]}, "mean_s"),
        ({"kind": "markov", "states": ["a", "b"], "mean_s": [1, 1], "jumps": [[1, 0], [1, 0]]}, "own state"),
        ({"kind": "markov", "states": ["a", "b"], "mean_s": [1, 1], "jumps": [[0, 1]]}, "2 rows"),
        ({"kind": "gps", "track": [[1, 2], [1, 2]]}, "two different"),
        ({"kind": "ou", "sigma": -1}, "greater than or equal"),
        ({"kind": "ou", "sgima": 1}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SENSOR.validate_python(parameters)
