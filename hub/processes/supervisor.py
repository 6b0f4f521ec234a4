"""Start real programs as child processes, watch them, and end them in order.

What it is: a list of children with their output in files. It knows nothing of telemetry; what is started, and in which
order it ends, is hub/demo/demo.py's business. It is not a service manager: a child that ends by itself is not started again
but reported with the end of its log, since in the demo this must not happen.

What holds:
- Output goes to files, never to a pipe that somebody would have to empty: `<name>.out` is stdout, `<name>.log` stderr.
- Children have a session of their own, so that Ctrl-C reaches only the supervisor, which then ends them in order; and
  they die with the supervisor even when it is killed (hub/processes/child_process.py).
"""

import signal
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hub.errors import ChildFailedError
from hub.processes import child_process

READY_WORD: Final = "ready"
POLL_S: Final = 0.02
FAILED_STOP_DEADLINE_S: Final = 2.0


class Child:
    """One running program."""

    def __init__(self, name: str, command: Sequence[str], log_dir: Path) -> None:
        self.name = name
        self.out_path = log_dir / f"{name}.out"
        self.log_path = log_dir / f"{name}.log"
        with self.out_path.open("wb") as out, self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                # SIGKILL: an orphan that takes its time would meet the next run at the same ports and data.
                child_process.bound_to_parent(command, signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ChildFailedError when the program has ended."""
        if (status := self.process.poll()) is not None:
            raise ChildFailedError(self.name, f"ended unexpectedly with status {status}", self._tail())

    def wait_ready(self, deadline_s: float) -> list[str]:
        """Wait for the program's line `ready …`; return its addresses, without what it says in parentheses."""
        deadline = time.monotonic() + deadline_s
        while True:
            for line in self._lines():
                if line.startswith(READY_WORD):
                    return line.partition(" (")[0].split()[1:]
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailedError(self.name, f"not ready within {deadline_s:.0f} s", self._tail())
            time.sleep(POLL_S)

    def stop(self, deadline_s: float = child_process.STOP_DEADLINE_S, expected: Collection[int] = (0,)) -> str:
        """End the program and return the last line of its stdout; ChildFailedError unless its exit status is expected."""
        if (status := child_process.stop(self.process, deadline_s)) not in expected:
            raise ChildFailedError(self.name, f"ended with status {status} when it was stopped", self._tail())
        return next(reversed(self._lines()), "")

    def _lines(self) -> list[str]:
        # Only whole lines: the last one may still be in the middle of being written.
        text = self.out_path.read_text(encoding="utf-8", errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def _tail(self) -> str:
        return child_process.log_tail(self.log_path) or child_process.log_tail(self.out_path)


class Supervisor:
    """The owner of some children; leaving its `with` block ends those that still run, the youngest first."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: list[Child] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # After a failure nobody waits for what the others would still bring in order.
        deadline_s = child_process.STOP_DEADLINE_S if error is None else FAILED_STOP_DEADLINE_S
        for child in reversed(self._children):
            child_process.stop(child.process, deadline_s)

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a program; `command` begins with an absolute path."""
        child = Child(name, command, self._log_dir)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise ChildFailedError when a child has ended by itself."""
        for child in self._children:
            child.check()

    def forget(self, child: Child) -> None:
        """Stop watching a child: its owner ended it in another way."""
        self._children.remove(child)

    def stop(
        self, child: Child, deadline_s: float = child_process.STOP_DEADLINE_S, expected: Collection[int] = (0,)
    ) -> str:
        """End one child in order; return the last line of its stdout."""
        self.forget(child)
        return child.stop(deadline_s, expected)

    def discard(self, child: Child) -> None:
        """End one child that is no longer needed, however it ends; it may have ended by itself."""
        self.forget(child)
        child_process.stop(child.process, FAILED_STOP_DEADLINE_S)
