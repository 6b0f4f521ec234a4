import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import bridge.cli
import device_sim.cli
import hub.cli

PAGE = Path(__file__).parents[3] / "docs/reference/cli.md"
PROGRAMS = {"telemetry-hub": hub.cli.app, "telemetry-bridge": bridge.cli.app, "device-sim": device_sim.cli.app}


def commands(name: str, app: typer.Typer) -> Iterator[tuple[str, set[str]]]:
    """Yield each command's full name and its options, as the command line library knows them."""
    group = typer.main.get_group(app)
    yield from walk(name, group)


def walk(name: str, command: typer.core.TyperGroup | typer.core.TyperCommand) -> Iterator[tuple[str, set[str]]]:
    children = getattr(command, "commands", None)
    if children is not None:
        for child_name, child in children.items():
            if not child.hidden:
                yield from walk(f"{name} {child_name}", child)
        return
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    yield name, {option for option in options if option.startswith("--") and option != "--help"}


EXPECTED = dict(entry for name, app in PROGRAMS.items() for entry in commands(name, app))


def documented() -> dict[str, set[str]]:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.partition("\n")[0]: {
            option
            for row in re.findall(r"^\| (`--.*?) \|", section, re.MULTILINE)
            for option in re.findall(r"`(--[a-z-]+)", row)
        }
        for section in sections
    }


def test_each_command_has_its_section_and_each_section_its_command() -> None:
    assert sorted(EXPECTED) == sorted(documented())


@pytest.mark.parametrize("command", sorted(EXPECTED))
def test_each_option_has_its_row_and_each_row_its_option(command: str) -> None:
    assert EXPECTED[command] == documented().get(command)
