"""Counters add up remarks."""

from hub.telemetry.counters import PipelineCounters
from hub.telemetry.notes import Notes


def test_remarks_of_several_messages_add_up() -> None:
    counters = PipelineCounters()
    for _ in range(2):
        notes = Notes()
        notes.skip("array")
        notes.without_time(3)
        notes.lost_digits()
        counters.add(notes)
    counters.refuse("clock")

    assert counters == PipelineCounters(
        readings_without_time=6, integers_rounded=2, skipped={"array": 2}, refused={"clock": 1}
    )
