"""Draw the state machines of the code into docs/reference/states.md: `python -m docs.states` (`make docs`).

A machine is a table `{(state, event): next state}` in a module; where a row says more, its `then` is the next state. What
the table does not have changes nothing. A new machine is a line in MACHINES.
"""

import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = Path(__file__).parent / "reference" / "states.md"
HEAD: Final = """\
# State machines

Drawn by `make docs` from the tables in the code; do not edit.
What a table does not have changes nothing.
"""


class Machine(NamedTuple):
    """Where a table is, and what the page says of it."""

    title: str
    about: str
    module: str
    table: str


MACHINES: Final = (
    Machine(
        "A STOMP session",
        "One connection's protocol, whatever carries it.",
        "hub.stomp.session",
        "TRANSITIONS",
    ),
    Machine(
        "An edge node of Sparkplug, as the hub has seen it",
        "Messages of a node whose birth the hub has not seen make it ask for one.",
        "hub.telemetry.decoders.sparkplug.node",
        "STEPS",
    ),
)


def page() -> str:
    """Return the whole page."""
    return "\n".join((HEAD, *(part for machine in MACHINES for part in _section(machine))))


def _section(machine: Machine) -> Iterator[str]:
    steps = {key: _next(step) for key, step in getattr(import_module(machine.module), machine.table).items()}
    yield f"## {machine.title}\n\n{machine.about}\nThe table is `{machine.table}` in `{machine.module}`.\n"
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {_id(next(iter(steps))[0])}"
    for before, after in dict.fromkeys((before, after) for (before, _), after in steps.items()):
        events = [_label(event) for (state, event), then in steps.items() if (state, then) == (before, after)]
        yield f"    {_id(before)} --> {_id(after)} : {', '.join(events)}"
    yield "```\n"
    yield from _table(steps)
    yield ""


def _table(steps: Mapping[tuple[Enum, Enum], Enum]) -> Iterator[str]:
    events = list(dict.fromkeys(event for _, event in steps))
    yield f"| state | {' | '.join(_label(event) for event in events)} |"
    yield f"|---{'|---' * len(events)}|"
    for state in dict.fromkeys(state for state, _ in steps):
        cells = [_label(steps[state, event]) if (state, event) in steps else "" for event in events]
        yield f"| {_label(state)} | {' | '.join(cells)} |"


def _next(step: object) -> Enum:
    state = getattr(step, "then", step)
    if not isinstance(state, Enum):
        raise TypeError(f"{state!r} is no state")
    return state


def _label(member: Enum) -> str:
    return member.value if isinstance(member.value, str) else member.name.lower().replace("_", " ")


def _id(state: Enum) -> str:
    return state.name.lower()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
