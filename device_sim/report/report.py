"""What every form of a report shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from device_sim.figures.expectations import ExitStatus, Outcome, check, exit_status
from device_sim.figures.results import RunResult
from device_sim.scenario.declared import Bound
from device_sim.verify.judge import Verdict

WORDS: Final = {
    ExitStatus.MET: "met",
    ExitStatus.NOT_MET: "not met",
    ExitStatus.INVALID: "invalid",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One run, judged."""

    result: RunResult
    verdict: Verdict | None
    """None: the run was not compared with a database."""
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, bounds: Mapping[str, Bound], result: RunResult, verdict: Verdict | None) -> Self:
        """Judge a run by its expectations."""
        return cls(result, verdict, check(bounds, result, verdict))

    @property
    def status(self) -> ExitStatus:
        return exit_status(self.outcomes, self.result)

    @property
    def headline(self) -> str:
        """Return the outcome as one sentence."""
        met = sum(outcome.met for outcome in self.outcomes)
        if self.status is ExitStatus.INVALID:
            return f"Invalid: {'; '.join(self.result.invalid)}"
        if not self.outcomes:
            return "Nothing was expected"
        if self.status is ExitStatus.MET:
            return f"All {met} expectations are met" if met > 1 else "The expectation is met"
        return f"{len(self.outcomes) - met} of {len(self.outcomes)} expectations are not met"
