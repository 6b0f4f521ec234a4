"""Scenario files: every problem is told with file, line and key."""

from pathlib import Path

import pytest

from device_sim.errors import ScenarioError
from device_sim.scenario.builtin import find_scenario
from device_sim.scenario.declared import Bound, parse_bound
from device_sim.scenario.load import load_scenario, parse_scenario
from device_sim.scenario.model import Scenario

GOOD = """\
name = "x"
duration = 10

[[classes]]
name = "a"
count = 2

  [classes.sensors.temperature]
  kind = "ou"
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "f.toml", Path())
    return caught.value.problems


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(GOOD)
    scenario = load_scenario(file)

    assert (scenario.name, scenario.counts, scenario.classes[0].format) == ("x", [2], "json")
    assert scenario == find_scenario(str(file))


@pytest.mark.parametrize(
    ("change", "line", "key", "words"),
    [
        (("duration = 10", "duration = 0"), 2, "duration", "greater than 0 (it is 0"),
        (("duration = 10", "durattion = 10"), 2, "durattion", "no such key"),
        (("count = 2", 'count = "many"'), 6, "classes.0.count", "valid integer"),
        (("count = 2", "rate = 1"), 4, "classes.0", "either `count` or `weight`"),
        (('kind = "ou"', 'kind = "uo"'), 8, "classes.0.sensors.temperature", "'uo'"),
        (('kind = "ou"', 'kind = "ou"\n  tau_s = -1'), 10, "classes.0.sensors.temperature.tau_s", "greater than 0"),
        (('kind = "ou"', 'kind = "ou"\n  tau = 1'), 10, "classes.0.sensors.temperature.tau", "no such key"),
        (('kind = "ou"', 'kind = "constant"\n  value = []'), 10, "classes.0.sensors.temperature.value", "valid number"),
        (('kind = "ou"', 'kind = "replay"\n  file = "n.csv"'), 10, "classes.0.sensors.temperature.file", "cannot read"),
        (("count = 2", 'count = 2\nid = "a"'), 4, "classes", "id of two devices"),
        (("count = 2", 'count = 2\nid = "{numbr}"'), 7, "classes.0.id", "filled in"),
        (("count = 2", 'count = 2\ntopic = "a/#"'), 7, "classes.0.topic", "no topic of json"),
        (("count = 2", 'count = 2\nformat = "jsn"'), 7, "classes.0.format", "'jsn'"),
        (("count = 2", 'count = 2\nformat = "tasmota"\nrate = 2'), 8, "classes.0.rate", "at most 1"),
        (("count = 2", 'count = 2\nformat = "sparkplug"\nrate = 501'), 8, "classes.0.rate", "its births"),
        (("count = 2", 'count = 2\nformat = "influx"'), 9, "classes.0.sensors.temperature", "no metric for influx"),
        (("count = 2", 'count = 2\nformat = "ttn"\nid = "A{number}"'), 8, "classes.0.id", "no id for ttn"),
        (
            ("count = 2", 'count = 2\nformat = "sparkplug"\nbackfill = true'),
            8,
            "classes.0.backfill",
            "births of the same connection",
        ),
        (("count = 2", 'count = 2\nformat = "cbor"\nlink = "stomp-ws"'), 8, "classes.0.link", "from a bridge only"),
        (("duration = 10", 'duration = 10\n[expectations]\nloss = "none"'), 4, "expectations.loss", "comparison"),
        (("duration = 10", "duration = 10\n[expectations]\nlost = 0"), 4, "expectations.lost", "no such figure"),
        (("duration = 10", "duration = 10\n[[stages]]\nseconds = 1\nrate = 2000"), 7, "classes.0.rate", "at most 1000"),
        (("duration = 10", "duration = 10\ndevices = 5"), 3, "devices", "`devices` is needed where"),
        (("count = 2", "weight = 2"), 6, "classes.0.weight", "`devices` is needed where"),
        (("duration = 10", "duration = 10\n[[stages]]\nseconds = 11"), 3, "stages", "stages last longer"),
        (("duration = 10", "duration = inf"), 2, "duration", "finite number"),
        (("duration = 10", 'description = "a\u2028b"\nduration = 0'), 3, "duration", "greater than 0"),
        (("duration = 10", "duration = 10\n[expectations]\nloss = nan"), 4, "expectations.loss", "finite number"),
        (("duration = 10", 'duration = 10\n[expectations]\nloss = "< 1_"'), 4, "expectations.loss", "'< 250'"),
        (("count = 2", 'count = 2\nid = "{number[0]}"'), 7, "classes.0.id", "cannot be filled in"),
        (("count = 2", 'count = 2\nid = "{number.x}"'), 7, "classes.0.id", "cannot be filled in"),
    ],
)
def test_a_problem_names_file_line_and_key(change: tuple[str, str], line: int, key: str, words: str) -> None:
    told = problems(GOOD.replace(*change))

    assert len(told) == 1
    assert told[0].startswith(f"f.toml:{line}: {key}: ")
    assert words in told[0]


@pytest.mark.parametrize(
    ("change", "line", "key", "words"),
    [
        (("duration = 10", 'duration = "10"'), 2, "duration", "valid number (it is '10')"),
        (("duration = 10", "duration = true"), 2, "duration", "valid number (it is true)"),
        (("count = 2", "count = true"), 6, "classes.0.count", "valid integer (it is true)"),
        (("count = 2", "count = 2.0"), 6, "classes.0.count", "valid integer (it is 2.0)"),
        (("count = 2", 'count = 2\nbackfill = "yes"'), 7, "classes.0.backfill", "valid boolean (it is 'yes')"),
        (("count = 2", "count = 2\nbackfill = 1"), 7, "classes.0.backfill", "valid boolean (it is 1)"),
        (("count = 2", "count = 2\nqos = true"), 7, "classes.0.qos", "valid integer (it is true)"),
        (("count = 2", "count = 2\nid = 7"), 7, "classes.0.id", "valid string (it is 7)"),
        (("count = 2", 'count = 2\nrate = "1"'), 7, "classes.0.rate", "valid number (it is '1')"),
        (("count = 2", 'count = 2\nkeep_alive_s = "60"'), 7, "classes.0.keep_alive_s", "valid integer (it is '60')"),
        (('kind = "ou"', 'kind = "ou"\n  mean = "21"'), 10, "classes.0.sensors.temperature.mean", "valid number"),
        (('kind = "ou"', 'kind = "ou"\n  mean = true'), 10, "classes.0.sensors.temperature.mean", "valid number"),
        (("duration = 10", "duration = 10\n[[stages]]\nseconds = true"), 4, "stages.0.seconds", "valid number"),
        (("duration = 10", "duration = 10\n[expectations]\nloss = true"), 4, "expectations.loss", "valid number"),
        (("duration = 10", "duration = 10\nstages = 3"), 3, "stages", "an array (it is 3)"),
    ],
)
def test_nothing_is_converted(change: tuple[str, str], line: int, key: str, words: str) -> None:
    """A number in quotes, or a truth value in the place of a number, is a slip of the pen."""
    test_a_problem_names_file_line_and_key(change, line, key, words)


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    assert parse_scenario(GOOD, "f.toml", Path()).duration == 10.0


@pytest.mark.parametrize(
    ("fault", "line", "key", "words"),
    [
        ('kind = "offline"\nevery = 5', 10, "faults.0", "shorter `for`"),
        ('kind = "offline"\nat = -1', 12, "faults.0.at", "greater than or equal"),
        ('kind = "spike"\nby = 1\nmetrics = ["pressure"]', 13, "faults.0.metrics", "no metric 'pressure'"),
        ('kind = "offline"\nids = ["b-1"]', 12, "faults.0.ids", "no device 'b-1'"),
        ('kind = "offline"\nat = "3"', 12, "faults.0.at", "valid number (it is '3')"),
        ('kind = "burst"\nfactor = 5000', 12, "faults.0.factor", "less than or equal to 1000"),
    ],
)
def test_a_problem_of_a_fault_is_found_too(fault: str, line: int, key: str, words: str) -> None:
    [told] = problems(f"{GOOD}[[faults]]\n{fault}\n")

    assert told.startswith(f"f.toml:{line}: {key}: ")
    assert words in told


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    told = problems(GOOD.replace("count = 2", "count = 0\nrate = 0").replace("duration = 10", "duration = 0"))

    assert [problem.split(": ")[0] for problem in told] == ["f.toml:2", "f.toml:6", "f.toml:7"]


def test_the_second_of_two_classes_is_found() -> None:
    second = '\n[[classes]]\nname = "b"\ncount = 1\n[classes.sensors."a.b"]\nkind = "sine"\nperiod_s = 0\n'

    [told] = problems(GOOD + second)

    assert told.startswith("f.toml:16: classes.1.sensors.a.b.period_s: ")


def test_keys_inside_texts_and_arrays_of_several_lines_do_not_mislead() -> None:
    text = GOOD.replace(
        "duration = 10",
        'description = """\nduration = 3\n[[classes]]\n"""\nstages = [\n  { seconds = 1 },\n]\nduration = 0',
    )

    [told] = problems(text)

    assert told.startswith("f.toml:9: duration: ")


def test_what_is_no_toml_is_told_with_its_line() -> None:
    [told] = problems("name = 'x'\nduration 10\n")

    assert "line 2" in told


def test_the_second_of_two_classes_with_one_name_is_the_wrong_one() -> None:
    [told] = problems(GOOD + GOOD[GOOD.index("[[classes]]") :])

    assert told.startswith("f.toml:11: classes.1.name: two classes")


@pytest.mark.parametrize("value", ["1" * 5_000, "[" * 3_000])
def test_what_the_toml_library_gives_up_on_is_told_too(value: str) -> None:
    [told] = problems(f"name = {value}")

    assert told.startswith("f.toml: not TOML: ")


def test_stages_that_fill_the_duration_may_be_written_in_tenths() -> None:
    text = GOOD.replace("duration = 10", "duration = 0.3\n[[stages]]\nseconds = 0.1\n[[stages]]\nseconds = 0.2")

    assert len(parse_scenario(text, "f.toml", Path()).stages) == 2


def test_a_missing_file_and_a_missing_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(ScenarioError, match="there are cold-chain, factory-line"):
        find_scenario("cold-train")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_scenario(tmp_path / "x.toml")


def test_recordings_are_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("timestamp,value\n1,5\n")
    (tmp_path / "x.toml").write_text(GOOD.replace('kind = "ou"', 'kind = "replay"\nfile = "r.csv"'))

    assert load_scenario(tmp_path / "x.toml").name == "x"


def test_weights_share_out_all_devices() -> None:
    def shared(devices: int, *weights: float) -> list[int]:
        sensor = {"t": {"kind": "temperature"}}
        classes = [{"name": f"c{n}", "weight": w, "sensors": sensor} for n, w in enumerate(weights)]
        return Scenario.model_validate({"name": "w", "devices": devices, "classes": classes}).counts

    assert shared(10, 1, 1, 1) == [3, 4, 3]
    assert shared(100, 70, 20, 10) == [70, 20, 10]
    assert sum(shared(1_001, 1, 2, 3, 4, 5)) == 1_001


@pytest.mark.parametrize(
    ("text", "bound", "good", "bad"),
    [
        (0, Bound("=", 0), 0, 1),
        ("< 250", Bound("<", 250), 249.9, 250),
        (">=0.5", Bound(">=", 0.5), 0.5, 0.4),
        ("<= 1_000", Bound("<=", 1000), 1000, 1001),
        ("> -1", Bound(">", -1), 0, -1),
    ],
)
def test_bounds(text: str | float, bound: Bound, good: float, bad: float) -> None:
    assert parse_bound(text) == bound
    assert bound.holds(good)
    assert not bound.holds(bad)


def test_a_shorter_run_shrinks_its_faults_so_that_they_fit() -> None:
    storm = find_scenario("reconnect-storm").lasting(30).faults[0]

    assert (storm.at, storm.for_s, getattr(storm, "within_s", None)) == (10, 1, 1.5)


def test_a_scenario_can_be_stretched() -> None:
    scenario = find_scenario("smart-building")
    longer = scenario.lasting(600)

    assert longer.duration == 600
    assert [stage.seconds for stage in longer.stages] == [100, 400, 100]
    assert (longer.faults[0].at, longer.faults[0].for_s) == (300, scenario.faults[0].for_s)
    assert longer.classes[0].faults[0].at == 150
