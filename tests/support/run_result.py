"""A run's result made up for tests of reports and expectations: two minutes, two stages, a fault, kills."""

import random

from device_sim.figures.results import Recorder, RunResult

START_US = 1_795_190_400_000_000


def made_up_result(*, seconds: int = 120, invalid: str = "", scenario: str = "made-up") -> RunResult:
    """Return a result of `seconds` in which every chart has something to draw."""
    rng = random.Random(7)
    recorder = Recorder(scenario, 7, START_US)
    for second in range(seconds):
        at_s = second + 0.5
        down = 40 <= second < 44 or 80 <= second < 83
        late = [abs(rng.gauss(0.001, 0.001)) for _ in range(50)]
        recorder.sent(at_s, late, 150)
        if not down:
            base_s = 1.5 if second in {44, 83} else 0.004
            recorder.acked(at_s, [base_s * rng.lognormvariate(0, 0.5) for _ in range(50)], 150)
            recorder.shown(at_s, 160, [base_s * 1.6 * rng.lognormvariate(0, 0.5) for _ in range(50)])
            recorder.seen_stored(at_s, [base_s * 4 * rng.lognormvariate(0, 0.3) for _ in range(5)])
        recorder.lagged(at_s, abs(rng.gauss(0.0005, 0.0005)))
        recorder.connected(at_s, min(200, 10 * second))
    recorder.dropped("offline queue full", 12)
    recorder.mark("stage", "ramp", 0.0, 20.0)
    recorder.mark("stage", "hold", 20.0, float(seconds))
    recorder.mark("fault", "reconnect storm <west>", 60.0, 66.0)
    recorder.mark("kill", "hub", 40.0, 44.2)
    recorder.mark("kill", "postgres", 80.0, 83.1)
    recorder.notes["broker"] = "mqtt://127.0.0.1:1883"
    if invalid:
        recorder.invalidate(invalid)
    return recorder.finish(float(seconds))
