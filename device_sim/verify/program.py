"""The command `device-sim verify`: findings for a person on stderr, the verdict as one line of JSON on stdout."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson

from device_sim.programs import say, tell
from device_sim.verify.database import verify


def run_verify(ledgers: Sequence[Path], database_url: str) -> int:
    """Print the verdict; return the exit status."""
    verdict = asyncio.run(verify(ledgers, database_url))
    for example in verdict.examples:
        tell(str(example))
    say(orjson.dumps(verdict.as_json()).decode())
    return 0 if verdict.ok else 1
