"""What a scenario's model cannot see by itself: whether a format can carry what a class measures, and whether ids fit.

Each problem names its place in the file as a path, such as ("classes", 0, "sensors", "temperature").
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from device_sim.errors import BadArgumentError, ScenarioError
from device_sim.faults.registry import AnyFault
from device_sim.faults.sampling import Burst
from device_sim.faults.settings import ClockFault, ValueFault
from device_sim.payloads.documents import clash
from device_sim.payloads.format import Format
from device_sim.payloads.registry import FORMATS
from device_sim.payloads.topics import TELEMETRY_TOPIC, takes
from device_sim.scenario.model import DeviceClass, Scenario
from device_sim.schedule.clock import step_us
from device_sim.schedule.member import measured
from device_sim.schedule.roster import ids
from device_sim.sensors.replay import Replay

Path: TypeAlias = tuple[str | int, ...]


class Problem(NamedTuple):
    """Something that cannot work, and where it stands."""

    path: Path
    text: str


def refuse(scenario: Scenario) -> None:
    """Raise ScenarioError for the problems of a scenario that came from no file."""
    problems = [f"{'.'.join(str(key) for key in path)}: {text}" for path, text in check(scenario)]
    if problems:
        raise ScenarioError(scenario.name, tuple(problems))


def check(scenario: Scenario) -> list[Problem]:
    """Return all problems."""
    problems: list[Problem] = []
    known: Counter[str] = Counter()
    for place, (device_class, count) in enumerate(zip(scenario.classes, scenario.counts, strict=True)):
        path: Path = ("classes", place)
        try:
            known.update(ids(device_class, count))
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            problems.append(Problem((*path, "id"), f"{device_class.id!r} cannot be filled in: {error!r}"))
            continue
        faults = [*enumerate(device_class.faults)]
        problems += _of_class(device_class, count, path)
        for number, fault in faults:
            problems += _of_fault(fault, [device_class], (*path, "faults", number), set(ids(device_class, count)))
        fastest = max((stage.rate for stage in scenario.stages), default=1.0)
        problems += _of_times(device_class, fastest, [*device_class.faults, *scenario.faults], path)
    repeated = [device_id for device_id, times in known.items() if times > 1]
    if repeated:
        problems.append(Problem(("classes",), f"{repeated[0]!r} is the id of two devices: `id` needs {{number}}"))
    for number, fault in enumerate(scenario.faults):
        problems += _of_fault(fault, scenario.classes, ("faults", number), set(known))
    problems += _of_expectations(scenario)
    return problems


def _of_expectations(scenario: Scenario) -> Iterator[Problem]:
    from device_sim.figures.expectations import NAMES  # not every process of a run needs it

    for name in scenario.expectations:
        if name not in NAMES:
            yield Problem(("expectations", name), f"there is no such figure; there are {', '.join(NAMES)}")


def _of_class(device_class: DeviceClass, count: int, path: Path) -> Iterator[Problem]:
    form = FORMATS[device_class.format]
    for device_id in islice(ids(device_class, count), 1):
        if not form.id.fullmatch(device_id):
            yield Problem((*path, "id"), f"{device_id!r} is no id for {form.name}; one would be {form.id_example!r}")
    topic = device_class.topic or form.topic
    # Where the file says what the hub calls the device, it has routes of its own, and a plain format may have any topic.
    anywhere = device_class.stored_as is not None and not form.decoder and form.topic_pattern.fullmatch(topic)
    if not (anywhere or takes(form, topic)):
        yield Problem(
            (*path, "topic"),
            f"{topic!r} is no topic of {form.name} that a hub knows; one would be {form.topic!r}",
        )
    unrouted = not form.decoder and (not form.name.startswith("json") or topic != TELEMETRY_TOPIC)
    if device_class.link.startswith("stomp") and device_class.stored_as is None and unrouted:
        yield Problem(
            (*path, "link"),
            f"a hub takes {form.name} on this topic from a bridge only; with a route of your own say `stored_as`",
        )
    if form.by_connection and device_class.backfill:
        yield Problem((*path, "backfill"), f"a hub reads {form.name} only with the births of the same connection")
    yield from _of_metrics(device_class, form, path)
    for name, sensor in device_class.sensors.items():
        if isinstance(sensor, Replay):
            try:
                sensor.read()
            except BadArgumentError as error:
                yield Problem((*path, "sensors", name, "file"), error.problem)


def _of_metrics(device_class: DeviceClass, form: Format, path: Path) -> Iterator[Problem]:
    names = [metric.name for metric in measured(device_class)]
    for metric in measured(device_class):
        table = metric.name if metric.name in device_class.sensors else metric.name.rpartition(".")[0]
        if not form.metric.fullmatch(metric.name):
            problem = f"{metric.name!r} is no metric for {form.name}; one would be {form.metric_example!r}"
            yield Problem((*path, "sensors", table), problem)
        elif not form.takes(metric):
            yield Problem((*path, "sensors", table), f"{form.name} has no {metric.sort} values under {metric.name!r}")
    if form.nested and (pair := clash(names)):
        yield Problem((*path, "sensors", pair[0]), f"{pair[0]!r} would be a value and, for {pair[1]!r}, a table")


def _of_fault(fault: AnyFault, classes: Sequence[DeviceClass], path: Path, known: set[str]) -> Iterator[Problem]:
    for device_id in fault.ids or ():
        if device_id not in known:
            yield Problem((*path, "ids"), f"there is no device {device_id!r}")
    if isinstance(fault, ValueFault) and fault.metrics is not None:
        names = {metric.name for device_class in classes for metric in measured(device_class)}
        for name in fault.metrics:
            if name not in names:
                yield Problem((*path, "metrics"), f"there is no metric {name!r}")


def _of_times(device_class: DeviceClass, fastest: float, faults: Sequence[AnyFault], path: Path) -> Iterator[Problem]:
    form = FORMATS[device_class.format]
    clocks = sum(isinstance(fault, ClockFault) for fault in faults)
    factor = max((fault.factor for fault in faults if isinstance(fault, Burst)), default=1)
    finest_s = step_us(form.step_us, clocks + form.births_carry_values) / 1e6
    rate = device_class.rate * max(fastest, 1.0)
    if rate * factor * finest_s > 1.0:
        text = f"{rate:g} a second"
        if factor > 1:
            text += f", {factor} times in a burst,"
        because = f"{form.name} writes times in steps of {form.step_us / 1e6:g} s"
        if clocks:
            because += f", and each of {clocks} clock faults needs ticks of its own"
        if form.births_carry_values:
            because += ", and its births need ticks of their own"
        most = 1.0 / (finest_s * factor)
        yield Problem((*path, "rate"), f"{text} would repeat times: {because}; at most {most:g}")


def summary(scenario: Scenario) -> str:
    """Return devices and rates by class, and how many faults, dashboards and expectations there are."""
    counts = scenario.counts
    rate = sum(count * device_class.rate for count, device_class in zip(counts, scenario.classes, strict=True))
    faults = len(scenario.faults) + sum(len(device_class.faults) for device_class in scenario.classes)
    dashboards = sum(dashboard.count for dashboard in scenario.dashboards)
    lines = [f"{scenario.name}: {sum(counts)} devices, {rate:g} samples a second, {scenario.duration:g} s"]
    lines += [
        f"  {device_class.name}: {count} x {device_class.rate:g}/s, {device_class.format} over {device_class.link}, "
        f"metrics {', '.join(device_class.sensors)}"
        for count, device_class in zip(counts, scenario.classes, strict=True)
    ]
    lines.append(f"  {faults} faults, {dashboards} dashboards, {len(scenario.expectations)} expectations")
    return "\n".join(lines)
