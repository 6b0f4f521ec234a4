"""Counters add up remarks."""

from hub.telemetry.counters import MAX_REFUSED_TOPICS, OTHER_TOPICS, PipelineCounters
from hub.telemetry.notes import Notes


def test_remarks_of_several_messages_add_up() -> None:
    counters = PipelineCounters()
    for _ in range(2):
        notes = Notes()
        notes.skip("array")
        notes.without_time(3)
        notes.spelled_out()
        counters.add(notes)
    counters.refuse("devices/a/telemetry", "clock")

    assert counters == PipelineCounters(
        readings_without_time=6,
        integers_as_text=2,
        skipped={"array": 2},
        refused={"clock": 1},
        refused_topics={("devices/a/telemetry", "clock"): 1},
    )


def test_topics_with_a_count_of_their_own_are_bounded() -> None:
    counters = PipelineCounters()
    for number in range(MAX_REFUSED_TOPICS + 7):
        counters.refuse(f"t/{number}", "not_json")

    assert len(counters.refused_topics) == MAX_REFUSED_TOPICS + 1
    assert counters.refused_topics[OTHER_TOPICS, "not_json"] == 7
    assert counters.refused == {"not_json": MAX_REFUSED_TOPICS + 7}
