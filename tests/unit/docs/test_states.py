"""docs/reference/states.md is drawn from the tables in the code."""

from enum import Enum
from importlib import import_module

import pytest

from docs.states import MACHINES, PAGE, Machine, page


def test_the_page_is_what_the_code_says() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
def test_every_state_of_a_machine_can_be_reached(machine: Machine) -> None:
    steps = getattr(import_module(machine.module), machine.table)
    reached = {next(iter(steps))[0], *(getattr(step, "then", step) for step in steps.values())}
    states: type[Enum] = type(next(iter(steps))[0])

    assert set(states) == reached
