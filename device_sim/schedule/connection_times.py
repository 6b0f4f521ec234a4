"""When a device is connected: the stages of the run say who takes part, its link faults when it is cut off.

Pure: from stages and times of absence to LinkActions' times, one device at a time, lazily, because a connection that
flaps for an hour does so thousands of times.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from device_sim.faults.settings import Down
from device_sim.message import LinkActionKind
from device_sim.scenario.model import Stage

CONNECT, DISCONNECT, CUT, FREEZE = (
    LinkActionKind.CONNECT,
    LinkActionKind.DISCONNECT,
    LinkActionKind.CUT,
    LinkActionKind.FREEZE,
)


class Change(NamedTuple):
    """Something that happens to a device's connection; with `action` None only whether it takes part changes."""

    due_s: float
    action: LinkActionKind | None
    taking_part: bool


def taking_part(stages: Sequence[Stage], place: float) -> Iterator[tuple[float, bool]]:
    """Yield when the device at `place` (0 to 1, in the order of connecting) takes part in the run, and when no longer."""
    if not stages:
        yield 0.0, True
        return
    t = share = 0.0
    part = False
    for stage in stages:
        if part != (stage.connected > place):
            part = not part
            yield t + stage.seconds * (place - share) / (stage.connected - share), part
        t, share = t + stage.seconds, stage.connected


def changes(parts: Iterable[tuple[float, bool]], downs: Sequence[Iterable[Down]]) -> Iterator[Change]:
    """Yield what happens to one device's connection, in the order of time."""
    if not downs:
        for due_s, part in parts:
            yield Change(due_s, CONNECT if part else DISCONNECT, part)
        return
    streams: list[Iterator[tuple[float, int, LinkActionKind | None]]] = [_of_parts(parts)]
    streams += [_of_downs(faults) for faults in downs]
    part, absent, up, frozen = False, 0, False, False
    for due_s, sort, kind in heapq.merge(*streams, key=lambda event: event[:2]):
        if sort == _PART:
            part = True
        elif sort == _LEAVE:
            part = False
        else:
            absent += 1 if sort == _DOWN else -1
        action: LinkActionKind | None = None
        if part and not absent and not up:
            action, up, frozen = CONNECT, True, False
        elif up and not part:
            action, up = DISCONNECT, False
        elif up and absent:
            action, up, frozen = kind, False, kind is FREEZE
        elif frozen and not part:  # nobody will unfreeze it
            action, frozen = CUT, False
        if action is not None or sort in {_PART, _LEAVE}:
            yield Change(due_s, action, part)


# At the same moment, in this order: a device is back before its next absence begins.
_BACK, _PART, _DOWN, _LEAVE = range(4)


def _of_parts(parts: Iterable[tuple[float, bool]]) -> Iterator[tuple[float, int, LinkActionKind | None]]:
    for due_s, part in parts:
        yield due_s, _PART if part else _LEAVE, None


def _of_downs(downs: Iterable[Down]) -> Iterator[tuple[float, int, LinkActionKind | None]]:
    for down in downs:
        yield down.begin_s, _DOWN, down.kind
        if down.end_s is not None:
            yield down.end_s, _BACK, None
