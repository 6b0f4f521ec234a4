"""JSON documents as firmwares write them: names with dots as nested objects, times as text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from device_sim.message import Value

Tree: TypeAlias = "dict[str, Tree | Value | None]"
_US_PER_S: Final = 1_000_000


class Planter:
    """Knows for each metric the branch that it hangs on; `plant` makes the tree of one moment."""

    __slots__ = ("_paths",)

    def __init__(self, names: Sequence[str]) -> None:
        self._paths = [tuple(name.split(".")) for name in names]

    def plant(self, values: Sequence[Value | None]) -> Tree:
        root: Tree = {}
        for path, value in zip(self._paths, values, strict=True):
            branch = root
            for key in path[:-1]:
                below = branch.setdefault(key, {})
                assert isinstance(below, dict)  # noqa: S101 - `clash` was asked when the scenario was read
                branch = below
            branch[path[-1]] = value
        return root


def clash(names: Sequence[str]) -> tuple[str, str] | None:
    """Return two names of which one would have to be a value and a branch at once."""
    known: Mapping[str, None] = dict.fromkeys(names)
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts)):
            if (above := ".".join(parts[:end])) in known:
                return above, name
    return None


@lru_cache(maxsize=64)
def second(seconds: int) -> str:
    """Return `2026-11-20T16:00:00`, UTC; a fleet sends in the same few seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_ms(time_us: int) -> str:
    """Return `2026-11-20T16:00:00.123Z`."""
    seconds, us = divmod(time_us, _US_PER_S)
    return f"{second(seconds)}.{us // 1_000:03}Z"


def iso_ns(time_us: int) -> str:
    """Return `2026-11-20T16:00:00.123000000`, without a zone."""
    seconds, us = divmod(time_us, _US_PER_S)
    return f"{second(seconds)}.{us * 1_000:09}"
