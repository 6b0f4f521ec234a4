"""The schedule: from a scenario to what is sent when, and what happens to the connections.

Open loop: the time of sending comes from the schedule, never from an answer, so that a stall of the system shows as
lateness instead of as a pause of the load (reliability reference, 3.1). Same scenario, seed and start = the same messages,
byte by byte, however the devices are shared out over processes. Messages are made when they are taken: an hour costs no
memory. No I/O, no clock.

The main line is the devices' beats (class_members.py). Whatever else is to come waits in a heap, ordered by time, device and
the order in which the device thought of it: connections that change, messages held back.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import TypeAlias

from device_sim.faults.settings import LinkFault
from device_sim.message import LinkAction, LinkActionKind, Message, Value, Will
from device_sim.payloads.format import Encoded
from device_sim.scenario.check import refuse
from device_sim.scenario.model import Scenario
from device_sim.schedule.class_members import ClassMembers
from device_sim.schedule.connection_times import Change, changes, taking_part
from device_sim.schedule.member import KeyedFault, Member
from device_sim.schedule.roster import Entry, hit, roster
from device_sim.schedule.windows import windows

_CONNECT = LinkActionKind.CONNECT
_new = tuple.__new__  # half of what Message(...) costs

Waiting: TypeAlias = tuple[float, int, int, Change | Encoded]
"""When, which device, its count, and what: a change of its connection or a message."""


class Schedule:
    """A schedule of the devices with number % n == i, made beforehand: `events` walks it, once.

    Making ten thousand devices takes a second or so, which would be lateness if it were done after the start.
    """

    def __init__(self, scenario: Scenario, seed: int, share: tuple[int, int] = (0, 1)) -> None:
        """Make the devices.

        Raises:
            ScenarioError: the scenario contradicts itself in a way that its model cannot see.

        """
        refuse(scenario)
        entries = roster(scenario)
        part, parts = share
        self._run = _Run(scenario, entries, seed, _members(scenario, entries, seed, range(part, len(entries), parts)))

    def events(self, start_us: int) -> Iterator[Message | LinkAction]:
        """Yield what happens from `start_us` (epoch) on, in the order of `due_s`."""
        return self._run.events(start_us)

    def will(self, source: int) -> Will | None:
        """Return the will of a connection that a device makes again because the last one was lost."""
        return self._run.will(source)

    def births(self, source: int, due_s: float) -> Sequence[Message]:
        """Return what it publishes first on that connection: not among `events`, as the system decides when this happens."""
        return self._run.births(source, due_s)


def schedule(
    scenario: Scenario, seed: int, start_us: int, share: tuple[int, int] = (0, 1)
) -> Iterator[Message | LinkAction]:
    """Make a schedule and walk it."""
    return Schedule(scenario, seed, share).events(start_us)


def _members(scenario: Scenario, entries: Sequence[Entry], seed: int, numbers: range) -> dict[int, Member]:
    """Make the devices of one share, with their faults and the times of their connections."""
    by_class: dict[str, list[Entry]] = {device_class.name: [] for device_class in scenario.classes}
    for entry in entries:
        by_class[entry.device_class.name].append(entry)
    declared = [
        (KeyedFault(f"{device_class.name}/fault-{place}", fault), by_class[device_class.name])
        for device_class in scenario.classes
        for place, fault in enumerate(device_class.faults)
    ]
    declared += [(KeyedFault(f"fault-{place}", fault), list(entries)) for place, fault in enumerate(scenario.faults)]
    hits = [(keyed, hit(keyed.fault, f"{seed}/{keyed.key}", among)) for keyed, among in declared]
    places = list(range(len(entries)))
    random.Random(f"{seed}/stages").shuffle(places)
    members = {}
    for number in numbers:
        entry = entries[number]
        faults = [keyed for keyed, devices in hits if number in devices]
        member = members[number] = Member(entry, seed, faults)
        downs = [
            keyed.fault.downs(random.Random(f"{seed}/{entry.id}/{keyed.key}"))
            for keyed in faults
            if isinstance(keyed.fault, LinkFault)
        ]
        place = (places[number] + 0.5) / len(entries)
        member.changes = changes(taking_part(scenario.stages, place), downs)
    return members


class _Run:
    """One walk through a schedule."""

    def __init__(self, scenario: Scenario, entries: Sequence[Entry], seed: int, members: dict[int, Member]) -> None:
        self._duration_s = scenario.duration
        self._stages = scenario.stages
        self._members = members
        self._classes = _classes(scenario, entries, seed, members)
        self._waiting: list[Waiting] = []
        self._numbers = count()
        for member in members.values():
            self._await_change(member)

    def events(self, start_us: int) -> Iterator[Message | LinkAction]:
        """Walk. The short path through this loop, a connected device without faults, is most of the simulator's work."""
        for group in self._classes:
            group.start(start_us)
        members, waiting, pop, numbers = self._members, self._waiting, heapq.heappop, self._numbers
        beats_per_s, turn_s = sum(group.rate for group in self._classes), min(group.turn_s for group in self._classes)
        for window in windows(beats_per_s, turn_s, self._stages, self._duration_s):
            beats = sorted(chain.from_iterable(group.take(window) for group in self._classes))
            for due_s, source, time_us, values, payload in beats:
                while waiting and waiting[0][0] <= due_s:
                    yield from self._happen(pop(waiting))
                member = members[source]
                if payload is not None and member.plain and member.up:
                    device, names, topic, qos = member.device, member.names, member.topic, member.qos
                    n = next(numbers)
                    fields = (n, source, device, names, time_us, due_s, topic, payload, values, True, False, qos, False)
                    yield _new(Message, fields)
                else:
                    yield from self._beat(member, due_s, time_us, values)
        while waiting and waiting[0][0] < self._duration_s:
            yield from self._happen(pop(waiting))

    def _beat(self, member: Member, due_s: float, time_us: int, values: Sequence[Value]) -> Iterator[Message]:
        """Handle a beat of a device that has a fault, is not connected, or writes its own messages."""
        if member.plain and member.up:
            for encoded in member.encode(time_us, values):
                yield self._message(member, due_s, encoded)
            return
        if not (member.up or (member.part and member.backfill)):
            member.reported(due_s, values)
            return
        for when_s, encoded in member.sent(due_s, time_us, values):
            if when_s <= due_s:
                yield self._message(member, due_s, encoded)
            else:
                self._wait(member, when_s, encoded)

    def _happen(self, waiting: Waiting) -> Iterator[Message | LinkAction]:
        """Perform what was waiting for its time."""
        due_s, source, _, what = waiting
        member = self._members[source]
        if isinstance(what, Change):
            yield from self._change(member, what)
        elif member.up or (member.part and member.backfill):
            yield self._message(member, due_s, what)

    def _change(self, member: Member, change: Change) -> Iterator[Message | LinkAction]:
        member.part = change.taking_part
        self._await_change(member)
        if change.action is None:
            return
        member.up = change.action is _CONNECT
        if not member.up:
            yield LinkAction(change.due_s, member.number, change.action)
            return
        yield LinkAction(change.due_s, member.number, _CONNECT, self.will(member.number))
        yield from self.births(member.number, change.due_s)

    def will(self, source: int) -> Will | None:
        """Return the will of a device's next connection."""
        return self._members[source].encoder.will()

    def births(self, source: int, due_s: float) -> Sequence[Message]:
        """Return what it publishes when that connection stands."""
        member = self._members[source]
        return [self._message(member, due_s, encoded)._replace(birth=True) for encoded in member.births(due_s)]

    def _await_change(self, member: Member) -> None:
        change = next(member.changes, None)
        if change is not None:
            self._wait(member, change.due_s, change)

    def _wait(self, member: Member, due_s: float, what: Change | Encoded) -> None:
        if due_s < self._duration_s:
            heapq.heappush(self._waiting, (due_s, member.number, member.count, what))
            member.count += 1

    def _message(self, member: Member, due_s: float, encoded: Encoded) -> Message:
        topic, payload, metrics, values, time_us, timed, retain, qos = encoded
        number, source, device = next(self._numbers), member.number, member.device
        fields = (number, source, device, metrics, time_us, due_s, topic, payload, values, timed, retain, qos, False)
        return _new(Message, fields)


def _classes(scenario: Scenario, entries: Sequence[Entry], seed: int, members: dict[int, Member]) -> list[ClassMembers]:
    """Return each device its own phase of its class's period, whichever share it is in."""
    classes = []
    for device_class in scenario.classes:
        rng = random.Random(f"{seed}/{device_class.name}/phases")
        phases = [
            (rng.uniform(0.0, 1.0 / device_class.rate), entry.number)
            for entry in entries
            if entry.device_class is device_class
        ]
        mine = sorted(phase for phase in phases if phase[1] in members)
        among = [members[number] for _, number in mine]
        classes.append(ClassMembers(device_class, seed, among, [phase for phase, _ in mine]))
    return classes
