"""What can go wrong in the simulator, by who has to act.

SimulatorError
├── BadArgumentError    a command line argument or a file it names: the sentence names the argument
├── ScenarioError       a scenario that cannot be read or run: each problem names its place
└── LedgerError         a ledger file that cannot be read or continued
"""

from dataclasses import dataclass


class SimulatorError(Exception):
    """Base of all errors here; the command line prints the sentence and exits with status 2."""


@dataclass(slots=True)
class BadArgumentError(SimulatorError):
    """An argument that cannot be used. `problem` says why and what would do."""

    argument: str
    problem: str

    def __str__(self) -> str:
        return f"{self.argument}: {self.problem}"


@dataclass(slots=True)
class LedgerError(SimulatorError):
    """A line of a ledger that breaks the format of `device_sim/ledger/writer.py`."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"ledger {self.path}, line {self.line}: {self.problem}"


@dataclass(slots=True)
class ScenarioError(SimulatorError):
    """A scenario that breaks its own rules; `problems` name file, line and key where there is a file."""

    name: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((f"scenario {self.name} cannot be used", *(f"  {problem}" for problem in self.problems)))
