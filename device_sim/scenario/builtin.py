"""The gallery: the scenarios that come with the program, and what a name on the command line means."""

from importlib.resources import files
from pathlib import Path

from device_sim.errors import ScenarioError
from device_sim.scenario.load import load_scenario, parse_scenario
from device_sim.scenario.model import Scenario

PACKAGE = "device_sim.scenario.gallery"


def names() -> list[str]:
    """Return the names of the built-in scenarios."""
    return sorted(file.name.removesuffix(".toml") for file in files(PACKAGE).iterdir() if file.name.endswith(".toml"))


def text_of(name: str) -> str:
    """Return the file of a built-in scenario: to read, to copy, to change."""
    if name not in names():
        raise ScenarioError(name, (f"there is no built-in scenario {name!r}; there are {', '.join(names())}",))
    return (files(PACKAGE) / f"{name}.toml").read_text(encoding="utf-8")


def find_scenario(name_or_file: str) -> Scenario:
    """Read a built-in scenario by its name, or a file: what ends in .toml or holds a / is a file."""
    if name_or_file.endswith(".toml") or "/" in name_or_file:
        return load_scenario(Path(name_or_file))
    return parse_scenario(text_of(name_or_file), f"{name_or_file}.toml", Path())
