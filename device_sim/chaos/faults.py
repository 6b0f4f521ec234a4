"""What chaos does to the system beside killing its parts: a line in FAULTS each. Nothing may be lost by any of them.

clock     the hub's clock is set years ahead, days back or hours off, for some seconds (libfaketime)
database  Postgres is there, but it is another database: a restored copy whose ids are others, or an empty one
days      a device sends what it measured on 1,100 different days, at once

Each takes the stack, a source of chance and the time it may last, returns when it is over, and says what it did.
"""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from device_sim.chaos.databases import replace_database
from device_sim.errors import BadArgumentError, SimulatorError
from hub.processes import child_process

LIBRARIES: Final = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
JUMPS: Final[Mapping[str, str]] = {
    "+2000d": "five years and a half ahead",
    "+200d": "200 days ahead",
    "+2h": "two hours ahead",
    "-2h": "two hours back",
    "-3d": "three days back",
}
DAYS: Final = 1_100
REPLAY_DEADLINE_S: Final = 120.0


class Surroundings(NamedTuple):
    """What a fault may reach for."""

    directory: Path
    mqtt_url: str
    database_url: str
    clock: "FakeClock | None"
    history: Path
    """The ledger of what `days` sends."""


Fault: TypeAlias = Callable[[Surroundings, random.Random, float], str]


class FakeClock:
    """The clock of a program that was started with `command`, set through a file that libfaketime reads each second."""

    def __init__(self, directory: Path) -> None:
        found = [path for pattern in LIBRARIES for path in sorted(Path("/").glob(pattern.lstrip("/")))]
        if not found:
            raise BadArgumentError("--faults", "clock needs libfaketime; on Debian: apt-get install libfaketime")
        self._library, self._file = found[0], directory / "clock"
        self.set("+0")

    def set(self, offset: str) -> None:
        """Set it off by `offset`, atomically, as it may be read at any moment."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n", encoding="utf-8")
        new.rename(self._file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # Time-outs go on as they should; only the wall clock is wrong.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def set_clock(around: Surroundings, rng: random.Random, seconds: float) -> str:
    """Set the hub's clock wrong, and right again."""
    if around.clock is None:
        raise SimulatorError("the hub was not started with a clock that can be set")
    offset = rng.choice(list(JUMPS))
    around.clock.set(offset)
    time.sleep(seconds)
    around.clock.set("+0")
    return f"the hub's clock was {JUMPS[offset]} for {seconds:.0f} s"


def swap_database(around: Surroundings, rng: random.Random, seconds: float) -> str:
    """Replace the hub's database by another."""
    empty = rng.random() < 0.5
    asyncio.run(replace_database(around.database_url, empty=empty, away_s=min(seconds, 2.0)))
    return (
        "the database was replaced by an empty one" if empty else "the database was replaced by a copy with other ids"
    )


def send_days(around: Surroundings, rng: random.Random, _seconds: float) -> str:
    """Send a reading of each of so many days."""
    name = f"historian-{rng.getrandbits(32):08x}"
    file = around.directory / f"{name}.csv"
    begin = datetime.now(UTC) - timedelta(days=DAYS + 1)
    rows = [f"{(begin + timedelta(days=day)).isoformat()},{day}" for day in range(DAYS)]
    file.write_text("\n".join(["timestamp,value", *rows, ""]), encoding="utf-8")
    command = [child_process.program("device-sim"), "replay", str(file), "--device", name, "--metric", "level"]
    command += ["--mqtt-url", around.mqtt_url, "--ledger", str(around.history)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=REPLAY_DEADLINE_S)
    if done.returncode:
        raise SimulatorError(f"device-sim replay ended with status {done.returncode}: {done.stderr[-500:]}")
    return f"{name} sent readings of {DAYS:,} days"


FAULTS: Final[Mapping[str, Fault]] = {"clock": set_clock, "database": swap_database, "days": send_days}


def with_environment(command: list[str], variables: Mapping[str, str]) -> list[str]:
    """Return the command that runs `command` with these variables beside its own."""
    env = shutil.which("env") or "/usr/bin/env"
    return [env, *(f"{name}={value}" for name, value in variables.items()), *command] if variables else command
