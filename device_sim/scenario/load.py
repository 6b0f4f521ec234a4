"""From a TOML file to a Scenario. Every problem is told with file, line and key, all of them at once.

fleet.toml:14: classes.0.sensors.temperature.sigma: Input should be greater than or equal to 0 (it is -1)
"""

import pathlib
import tomllib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from device_sim.errors import ScenarioError
from device_sim.scenario.check import check
from device_sim.scenario.lines import Lines, Path
from device_sim.scenario.model import Scenario

TABLES_BY_KIND = frozenset({"sensors", "faults"})
TYPES_TRIED = frozenset({"bool", "str", "float"})


def load_scenario(file: pathlib.Path) -> Scenario:
    """Read a file.

    Raises:
        ScenarioError: it cannot be read, is not TOML, or says something that cannot be.

    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(str(file), (f"cannot read it: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise ScenarioError(str(file), (f"it is not a text in UTF-8: {error}",)) from error
    return parse_scenario(text, str(file), file.parent)


def parse_scenario(text: str, name: str, base: pathlib.Path) -> Scenario:
    """Read the text of a file called `name`; files that it names are beside it, in `base`."""
    try:
        document = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of 5,000 digits, or 1,000 brackets, raises no TOMLDecodeError
        raise ScenarioError(name, (f"{name}: not TOML: {error}",)) from error
    lines = Lines(text)

    def told(path: Path, problem: str) -> tuple[int, str]:
        line, key = lines.of(path), ".".join(str(part) for part in path)
        return line, f"{name}:{line}: {key}: {problem}" if key else f"{name}: {problem}"

    try:
        scenario = Scenario.model_validate(document, context={"base": base})
    except ValidationError as error:
        raise ScenarioError(name, _sorted(told, _merged(error))) from error
    problems = check(scenario)
    if problems:
        raise ScenarioError(name, _sorted(told, problems))
    return scenario


def _sorted(told: Callable[[Path, str], tuple[int, str]], problems: Iterable[tuple[Path, str]]) -> tuple[str, ...]:
    return tuple(text for _, text in sorted(told(path, problem) for path, problem in problems))


def _merged(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Yield one problem a key: a value that may be of several types gets a complaint for each, and a list whose elements
    are wrong another for being empty then.
    """
    sentences: dict[Path, list[str]] = {}
    for item in error.errors():
        location = item["loc"] + item.get("ctx", {}).get("path", ())
        sentences.setdefault(_in_file(location), []).append(_sentence(item))
        if item["type"] == "too_short" and any(
            path[: len(item["loc"])] == item["loc"] for path in list(sentences)[:-1]
        ):
            sentences.popitem()
    for path, several in sentences.items():
        yield path, "; or: ".join(dict.fromkeys(several))


def _in_file(location: tuple[int | str, ...]) -> Path:
    """Leave out what pydantic adds: behind a sensor or a fault the kind that was chosen, at the end the type tried."""
    path = [part for place, part in enumerate(location) if place < 2 or location[place - 2] not in TABLES_BY_KIND]
    if path and path[-1] in TYPES_TRIED:
        path.pop()
    return tuple(path)


def _sentence(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ").replace("a valid tuple", "an array")
    value = item["input"]
    if item["type"] == "extra_forbidden":
        return "there is no such key"
    if item["type"] == "missing":
        return "is missing"
    if isinstance(value, bool):
        return f"{message} (it is {str(value).lower()})"  # as TOML spells it
    if isinstance(value, str | int | float):
        return f"{message} (it is {value!r})"
    return message
