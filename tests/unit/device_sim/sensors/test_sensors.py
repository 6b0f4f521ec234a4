"""Each registered sensor: range, memory, daily rhythm, and nothing random beyond the seed."""

import random
from itertools import pairwise
from statistics import correlation, mean

import pytest

from device_sim.sensors.registry import SENSORS

DAY_S = 86_400
RANGES = {"temperature": (5.0, 40.0), "humidity": (5.0, 100.0), "pressure": (960.0, 1060.0)}
START = 1_795_132_800  # 2026-11-20T00:00Z


def series(metric: str, seed: int, step_s: float, count: int) -> list[float]:
    rng = random.Random(seed)
    sensor = SENSORS[metric](rng)
    return [sensor.sample(START + n * step_s, rng) for n in range(count)]


@pytest.mark.parametrize("metric", SENSORS)
def test_a_seed_gives_one_series(metric: str) -> None:
    assert series(metric, 7, 1.0, 200) == series(metric, 7, 1.0, 200)
    assert series(metric, 7, 1.0, 200) != series(metric, 8, 1.0, 200)


@pytest.mark.parametrize("metric", SENSORS)
def test_a_week_of_values_stays_in_the_range_of_a_real_sensor(metric: str) -> None:
    low, high = RANGES[metric]
    for seed in range(5):
        values = series(metric, seed, 60.0, 7 * 1_440)
        assert low <= min(values)
        assert max(values) <= high


@pytest.mark.parametrize("metric", SENSORS)
def test_neighbouring_values_are_alike(metric: str) -> None:
    """Lag-1 autocorrelation above 0.9 at one sample in 10 s: no white noise."""
    values = series(metric, 3, 10.0, 4_000)

    assert correlation(values[:-1], values[1:]) > 0.9


@pytest.mark.parametrize("metric", SENSORS)
def test_the_value_moves(metric: str) -> None:
    values = series(metric, 3, 10.0, 500)

    assert sum(a != b for a, b in pairwise(values)) > 100


def hourly_means(metric: str) -> list[float]:
    """The mean of each hour of the day over 20 days of one device."""
    values = series(metric, 5, 600.0, 20 * 144)
    return [mean(values[day * 144 + hour * 6 + n] for day in range(20) for n in range(6)) for hour in range(24)]


def test_afternoons_are_warm_and_dry() -> None:
    temperature, humidity = hourly_means("temperature"), hourly_means("humidity")

    assert temperature[15] - temperature[3] > 2.0
    assert humidity[15] - humidity[3] < -6.0


@pytest.mark.parametrize("metric", SENSORS)
def test_every_sensor_names_its_unit(metric: str) -> None:
    assert SENSORS[metric](random.Random(0)).unit
