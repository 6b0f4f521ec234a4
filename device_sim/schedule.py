"""The schedule: from a scenario to what is sent when, and what happens to the connections.

Open loop: the time of sending comes from the schedule, never from an answer, so that a stall of the system shows as
lateness instead of as a pause of the load (reliability reference, 3.1). Same scenario, seed and start = the same messages,
octet by octet, however the devices are shared out over processes. Messages are made when they are taken: an hour costs no
memory. No I/O, no clock.

The main line is the devices' beats (windows.py). Whatever else is to come waits in a heap, ordered by time, device and
the order in which the device thought of it: connections that change, messages held back, measurements of a burst.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from device_sim.connection_times import Change, changes, taking_part
from device_sim.faults.settings import LinkFault
from device_sim.member import KeyedFault, Member
from device_sim.message import LinkAction, LinkActionKind, Message
from device_sim.payloads.format import Encoded
from device_sim.roster import Entry, hit, roster
from device_sim.scenario.check import refuse
from device_sim.scenario.model import Scenario
from device_sim.windows import Ring, windows

_CONNECT = LinkActionKind.CONNECT
_new = tuple.__new__  # half of what Message(...) costs

Waiting: TypeAlias = tuple[float, int, int, Change | Encoded | None]
"""When, which device, its count, and what: a change of its connection, a message, or a measurement (None)."""


class Schedule:
    """A schedule of the devices with number % n == i, made beforehand: `events` walks it, once.

    To make ten thousand devices takes a second or so, which would be lateness if it were done after the start.
    """

    def __init__(self, scenario: Scenario, seed: int, share: tuple[int, int] = (0, 1)) -> None:
        """Make the devices.

        Raises:
            ScenarioError: the scenario contradicts itself in a way that its model cannot see.

        """
        refuse(scenario)
        entries = roster(scenario)
        part, parts = share
        self._members = _members(scenario, entries, seed, range(part, len(entries), parts))
        self._run = _Run(scenario, entries, seed, self._members)

    def events(self, start_us: int) -> Iterator[Message | LinkAction]:
        """Yield what happens from `start_us` (epoch) on, in the order of `due_s`."""
        for member in self._members.values():
            member.start(start_us)
        return self._run.events()


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
        self._rings = _rings(scenario, entries, seed, members)
        self._waiting: list[Waiting] = []
        for member in members.values():
            self._await_change(member)

    def events(self) -> Iterator[Message | LinkAction]:
        """Walk. The short way through this loop is most of the simulator's work: a device without faults, connected."""
        members, waiting, pop = self._members, self._waiting, heapq.heappop
        number = 0
        for beats in windows(self._rings, self._stages, self._duration_s):
            for due_s, source in beats:
                while waiting and waiting[0][0] <= due_s:
                    for event in self._happen(pop(waiting), number):
                        number += event.__class__ is Message
                        yield event
                member = members[source]
                if not (member.up and member.plain):
                    for message in self._beat(member, due_s, number):
                        number += 1
                        yield message
                    continue
                for topic, payload, metrics, values, time_us, timed, retain, qos in member.encoded(due_s):
                    yield _new(
                        Message,
                        (
                            number,
                            source,
                            member.device,
                            metrics,
                            time_us,
                            due_s,
                            topic,
                            payload,
                            values,
                            timed,
                            retain,
                            qos,
                        ),
                    )
                    number += 1
        while waiting and waiting[0][0] < self._duration_s:
            for event in self._happen(pop(waiting), number):
                number += event.__class__ is Message
                yield event

    def _beat(self, member: Member, due_s: float, number: int) -> Iterator[Message]:
        """Measure: on a beat, of a device that has a fault or is not connected."""
        if not member.part:
            return
        samples = member.samples(due_s)
        if samples == 0 or not (member.up or member.backfill):
            member.values(due_s)
            return
        for extra in range(1, samples):
            self._wait(member, due_s + extra * member.period_s / samples, None)
        yield from self._send(member, due_s, number)

    def _send(self, member: Member, due_s: float, number: int) -> Iterator[Message]:
        for when_s, encoded in member.sent(due_s):
            if when_s <= due_s:
                yield _message(number, member, due_s, encoded)
                number += 1
            else:
                self._wait(member, when_s, encoded)

    def _happen(self, waiting: Waiting, number: int) -> Iterator[Message | LinkAction]:
        """Let happen what has waited for its time."""
        due_s, source, _, what = waiting
        member = self._members[source]
        if isinstance(what, Change):
            yield from self._change(member, what, number)
        elif not (member.up or (member.part and member.backfill)):
            if what is None:
                member.values(due_s)
        elif what is None:
            yield from self._send(member, due_s, number)
        else:
            yield _message(number, member, due_s, what)

    def _change(self, member: Member, change: Change, number: int) -> Iterator[Message | LinkAction]:
        member.part = change.taking_part
        self._await_change(member)
        if change.action is None:
            return
        member.up = change.action is _CONNECT
        if not member.up:
            yield LinkAction(change.due_s, member.number, change.action)
            return
        yield LinkAction(change.due_s, member.number, _CONNECT, member.encoder.will())
        for encoded in member.births(change.due_s):
            yield _message(number, member, change.due_s, encoded)
            number += 1

    def _await_change(self, member: Member) -> None:
        change = next(member.changes, None)
        if change is not None:
            self._wait(member, change.due_s, change)

    def _wait(self, member: Member, due_s: float, what: Change | Encoded | None) -> None:
        if due_s < self._duration_s:
            heapq.heappush(self._waiting, (due_s, member.number, member.count, what))
            member.count += 1


def _rings(scenario: Scenario, entries: Sequence[Entry], seed: int, members: dict[int, Member]) -> list[Ring]:
    """Give each device its own phase of its class's period, whichever share it is in."""
    rings = []
    for device_class in scenario.classes:
        period_s = 1.0 / device_class.rate
        rng = random.Random(f"{seed}/{device_class.name}/phases")
        phases = [(rng.uniform(0.0, period_s), entry.number) for entry in entries if entry.device_class is device_class]
        rings.append(Ring(sorted(phase for phase in phases if phase[1] in members), period_s))
    return rings


def _message(number: int, member: Member, due_s: float, encoded: Encoded) -> Message:
    topic, payload, metrics, values, time_us, timed, retain, qos = encoded
    return Message(
        number, member.number, member.device, metrics, time_us, due_s, topic, payload, values, timed, retain, qos
    )
