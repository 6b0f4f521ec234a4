"""A run's result: what the recorder was told, merged over processes, and unchanged by travelling as JSON."""

import orjson

from device_sim.figures.results import ACKNOWLEDGED, DELIVERED, LATE, LOOP_LAG, STORED, Mark, Recorder, RunResult, merge
from tests.support.run_result import START_US, made_up_result


def recorded() -> RunResult:
    recorder = Recorder("r", 3, START_US)
    recorder.sent(0.1, [0.0, 0.002], 6)
    recorder.acked(0.2, [0.1], 3)
    recorder.shown(0.3, 4, [0.2, 0.2])
    recorder.seen_stored(1.2, [1.0])
    recorder.lagged(0.1, 0.004)
    recorder.dropped("offline queue full", 2)
    recorder.mark("stage", "hold", 0.0, 2.0)
    recorder.invalidate("slow")
    recorder.invalidate("slow")
    return recorder.finish(2.0)


def test_everything_told_is_in_the_result() -> None:
    result = recorded()

    assert (result.messages, result.readings, result.acknowledged, result.acknowledged_readings) == (2, 6, 1, 3)
    assert result.delivered == 4
    assert {kind: histogram.count for kind, histogram in result.latencies.items()} == {
        LATE: 2,
        ACKNOWLEDGED: 1,
        DELIVERED: 2,
        STORED: 1,
        LOOP_LAG: 1,
    }
    assert result.timeline.slots[0].counts == {"sent": 2, ACKNOWLEDGED: 1, DELIVERED: 4}
    assert result.marks == (Mark("stage", "hold", 0.0, 2.0),)
    assert result.invalid == ("slow",)


def test_a_result_travels_as_json() -> None:
    result = made_up_result(seconds=20)
    again = RunResult.from_json(orjson.loads(orjson.dumps(result.as_json())))

    assert again.as_json() == result.as_json()


def test_processes_of_a_run_add_up_and_say_common_things_once() -> None:
    merged = merge([recorded(), recorded(), recorded()])

    assert (merged.messages, merged.acknowledged, merged.delivered, merged.seconds) == (6, 3, 12, 2.0)
    assert merged.latencies[LATE].count == 6
    assert merged.timeline.slots[0].counts["sent"] == 6
    assert merged.drops == {"offline queue full": 6}
    assert (len(merged.marks), merged.invalid) == (1, ("slow",))
