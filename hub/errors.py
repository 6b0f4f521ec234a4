"""The errors of the hub that reach an operator: what is wrong, where, and what to do.

    HubError
    ├── SettingsError         a setting is unknown or wrong: names its key and the file or variable
    ├── PortInUseError        another process listens on a port that was asked for
    └── ChildFailedError      a process that we started ended or never became ready: carries the tail of its log

Protocol errors (malformed STOMP frames, undecodable payloads) are not here: they stand beside the code that answers
them.
"""

from dataclasses import dataclass


class HubError(Exception):
    """Base of the errors that a program answers with one line on stderr and an exit status."""

    exit_status = 1


@dataclass(frozen=True)
class SettingProblem:
    """One wrong setting: `key` dotted as in the TOML file, `source` the file or the variable it came from."""

    key: str
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key} ({self.source}): {self.reason}"


class SettingsError(HubError):
    """The settings are unusable; exit status 2 as for a wrong command line."""

    exit_status = 2

    def __init__(self, problems: tuple[SettingProblem, ...]) -> None:
        self.problems = problems
        super().__init__(problems)

    def __str__(self) -> str:
        return "wrong setting: " + "; ".join(str(problem) for problem in self.problems)


class PortInUseError(HubError):
    """A port that was asked for is taken."""

    def __init__(self, what: str, host: str, port: int) -> None:
        self.what, self.host, self.port = what, host, port
        super().__init__(what, host, port)

    def __str__(self) -> str:
        return f"{self.what}: port {self.port} on {self.host} is in use; stop the other process or choose another port"


class ChildFailedError(HubError):
    """A process that we started ended by itself, or was not ready in time."""

    def __init__(self, name: str, reason: str, log_tail: str = "") -> None:
        self.name, self.reason, self.log_tail = name, reason, log_tail
        super().__init__(name, reason, log_tail)

    def __str__(self) -> str:
        tail = f"; the end of its log:\n{self.log_tail}" if self.log_tail else ""
        return f"{self.name}: {self.reason}{tail}"
