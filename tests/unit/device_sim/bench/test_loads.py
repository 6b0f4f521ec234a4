"""The standard loads are scenarios that can be run, and say what is to be read from them."""

import pytest

from device_sim.bench.loads import BENCHES, BenchName
from device_sim.message import Message
from device_sim.schedule.schedule import schedule


@pytest.mark.parametrize("bench", BENCHES)
def test_a_loads_schedule_keeps_the_rate_that_its_name_says(bench: BenchName) -> None:
    for load in BENCHES[bench](2.0, ""):
        messages = [item for item in schedule(load.scenario, 0, 0) if isinstance(item, Message)]
        rate = sum(count * one.rate for count, one in zip(load.scenario.counts, load.scenario.classes, strict=True))

        assert rate * 2 * 0.9 <= len(messages) <= rate * 2
        assert load.name


@pytest.mark.parametrize("bench", BENCHES)
def test_a_topic_of_the_users_own_is_taken(bench: BenchName) -> None:
    for load in BENCHES[bench](2.0, "peer.{device}"):
        topics = {item.topic for item in schedule(load.scenario, 0, 0) if isinstance(item, Message)}

        assert all(topic.startswith("peer.") for topic in topics)
