"""`telemetry-hub demo` as a process, for acceptance tests."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.processes import child_process

STOP_DEADLINE_S = 90.0


class RunningDemo:
    """A demo that is ready."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._log = log
        self.process = process
        assert process.stdout is not None
        self._out = process.stdout
        first = self._out.readline()
        assert first.startswith("ready "), f"{first!r}\n{log.read_text()}"
        self.addresses = first.split()[1:]

    @property
    def page(self) -> str:
        return self.addresses[0]

    @property
    def port(self) -> int:
        return int(self.page.rpartition(":")[2])

    def stop(self) -> tuple[int, dict[str, Any]]:
        """Stop it as Ctrl-C does; return what `wait` does."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end; return its exit status and the line of figures."""
        out, _ = self.process.communicate(timeout=STOP_DEADLINE_S)
        assert out, self._log.read_text()
        figures: dict[str, Any] = json.loads(out.splitlines()[-1])
        return self.process.returncode, figures


@contextmanager
def running_demo(data_dir: Path, *options: str) -> Iterator[RunningDemo]:
    """Start a demo and wait until it is ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir / "demo.log"
    command = [child_process.program("telemetry-hub"), "demo", "--no-browser", "--data-dir", str(data_dir), *options]
    with (
        log_path.open("w") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield RunningDemo(process, log_path)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=STOP_DEADLINE_S)
