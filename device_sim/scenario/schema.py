"""What a scenario may say, for editors and for people: the JSON schema and the tables of the reference page.

Both are written from the model by `python -m device_sim.scenario.schema DIRECTORY` (`make docs`); a test holds them
against it.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from device_sim.faults.registry import AnyFault
from device_sim.faults.settings import FaultSettings, SampleFaultSettings
from device_sim.payloads.registry import FORMATS
from device_sim.scenario.builtin import find_scenario, names
from device_sim.scenario.declared import Declared
from device_sim.scenario.model import Credentials, DashboardClass, DeviceClass, Scenario, Stage
from device_sim.sensors.registry import AnySensor
from device_sim.sensors.settings import SensorSettings

SCHEMA_FILE: Final = "scenario.schema.json"
PAGE_FILE: Final = "scenario.md"
MARK: Final = "<!-- Below: written by `make docs`. -->\n"
FEW_CHOICES: Final = 5  # the formats have a table of their own
HEADER: Final = ("| key | default | meaning |", "|---|---|---|")


def schema() -> str:
    """Return the JSON schema."""
    document = Scenario.model_json_schema()
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    return json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def tables() -> str:
    """Return the generated part of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield from _section("## The file", Scenario)
    yield from _section("## `[[stages]]`", Stage)
    yield from _section("## `[[classes]]`", DeviceClass)
    yield from _section("## `[classes.credentials]`, `[dashboards.credentials]`", Credentials)
    yield from _section("## `[[dashboards]]`", DashboardClass)
    yield "## Formats\n"
    yield "| `format` | topic by default | finest time | a metric | an id |\n|---|---|---|---|---|"
    for form in FORMATS.values():
        finest = f"{form.step_us / 1e6:g} s"
        yield f"| `{form.name}` | `{form.topic}` | {finest} | `{form.metric_example}` | `{form.id_example}` |"
    yield "\n## Sensors: `[classes.sensors.METRIC]`\n"
    yield from _kinds(_members(AnySensor), SensorSettings)
    yield "## Faults: `[[faults]]`, `[[classes.faults]]`\n"
    yield "Every fault has these keys:\n"
    yield from _table(FaultSettings, set())
    yield "\nFaults of single messages and values have `probability` as well: chance of each while it acts, 1 by default.\n"
    yield from _kinds(_members(AnyFault), SampleFaultSettings)
    yield "## Built-in scenarios\n"
    yield "| name | devices | seconds | what it is |\n|---|---|---|---|"
    for name in names():
        scenario = find_scenario(name)
        text = " ".join(scenario.description.split())
        yield f"| `{name}` | {sum(scenario.counts)} | {scenario.duration:g} | {text} |"


def _members(union: object) -> list[type[Declared]]:
    """Return the classes of `Annotated[A | B | …, Field(…)]`."""
    return list(get_args(get_args(union)[0]))


def _section(title: str, model: type[Declared]) -> Iterator[str]:
    yield f"{title}\n"
    yield from _table(model, set())
    yield ""


def _kinds(models: list[type[Declared]], base: type[Declared]) -> Iterator[str]:
    """Yield a paragraph and a table for each kind; what all have in common is left out."""
    for model in models:
        [kind] = get_args(model.model_fields["kind"].annotation)
        yield f"### `{kind}`\n"
        yield f"{' '.join((model.__doc__ or '').split())}\n"
        rows = list(_table(model, {"kind", *(base.model_fields)}))
        if len(rows) > len(HEADER):
            yield from rows
            yield ""


def _table(model: type[Declared], left_out: set[str]) -> Iterator[str]:
    yield from HEADER
    for name, field in model.model_fields.items():
        if name not in left_out:
            yield f"| `{field.alias or name}` | {_default(field)} | {field.description}{_choices(field)} |"


def _choices(field: FieldInfo) -> str:
    """Return the words that a field may have, where they are few."""
    for part in (field.annotation, *get_args(field.annotation)):
        if get_origin(part) is Literal and len(get_args(part)) <= FEW_CHOICES:
            return f": {', '.join(f'`{choice}`' for choice in get_args(part))}"
    return ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    plain = TypeAdapter(field.annotation or object).dump_python(field.default, mode="json")
    return f"`{json.dumps(plain, ensure_ascii=False)}`"


def main(directory: Path) -> None:
    """Write both files; what is above the mark in the page stays."""
    (directory / SCHEMA_FILE).write_text(schema(), encoding="utf-8")
    page = directory / PAGE_FILE
    head, mark, _ = page.read_text(encoding="utf-8").partition(MARK)
    page.write_text(f"{head}{mark}\n{tables()}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
