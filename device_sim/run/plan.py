"""What is to be run: a schedule for each process's share, the links it goes through, who watches, what is expected.

Data only, so that it can be handed to other processes; what it makes lives in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from device_sim.figures.results import Mark
from device_sim.links.devices import DeviceLink
from device_sim.links.identity import TlsFiles
from device_sim.links.link import Link, LinkEvents
from device_sim.links.shared import SharedLink
from device_sim.reach import Peer
from device_sim.run.identities import Targets, device_identities
from device_sim.scenario.declared import Bound
from device_sim.scenario.model import WITHOUT_END_S, DashboardClass, Scenario
from device_sim.schedule.fleet import Fleet
from device_sim.schedule.schedule import Schedule
from hub.clients.endpoint import Endpoint

Share = tuple[int, int]
"""Process i of n."""
MOST_SPANS = 200
"""Of a fault that comes again and again, so many are marked in the report."""


class RunPlan(Protocol):
    """Implemented by `SimplePlan` and `ScenarioPlan`."""

    @property
    def name(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def address(self) -> Endpoint:
        """What `ready` names."""
        ...

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Who must be there before it begins."""
        ...

    @property
    def duration_s(self) -> float | None:
        """How long the schedule is; None: without end."""
        ...

    @property
    def devices(self) -> int: ...

    @property
    def dashboards(self) -> tuple[DashboardClass, ...]: ...

    @property
    def bounds(self) -> Mapping[str, Bound]: ...

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Stages and faults in time, for the report."""
        ...

    def connections(self, share: Share) -> int:
        """How many sockets the share's devices take."""
        ...

    def link(self, events: LinkEvents, share: Share) -> Link: ...

    def prepare(self, share: Share) -> Schedule:
        """Make the share's devices, which takes its time."""
        ...


@dataclass(frozen=True, slots=True)
class SimplePlan:
    """`--devices`, `--rate`, `--topic`: plain devices over a few shared connections."""

    fleet: Fleet
    address: Endpoint
    duration_s: float | None
    tls: TlsFiles = field(default_factory=TlsFiles)
    name: str = "simple"
    dashboards: tuple[DashboardClass, ...] = ()
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    @property
    def seed(self) -> int:
        return self.fleet.seed

    @property
    def peers(self) -> tuple[Peer, ...]:
        return (Peer(self.address, "--mqtt-url" if self._over_mqtt else "--hub-url"),)

    @property
    def _over_mqtt(self) -> bool:
        return self.address.scheme in {"mqtt", "mqtts"}

    @property
    def devices(self) -> int:
        return self.fleet.devices

    def connections(self, share: Share) -> int:
        return min(4, len(range(share[0], self.devices, share[1])))

    def link(self, events: LinkEvents, share: Share) -> Link:
        sources = max(len(range(share[0], self.devices, share[1])), 1)
        return SharedLink(self.address, events, sources=sources, tls=self.tls)

    def prepare(self, share: Share) -> Schedule:
        return self.fleet.prepare(self.duration_s, share)


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """A scenario: each device has a connection of its own."""

    scenario: Scenario
    seed: int
    targets: Targets

    @property
    def name(self) -> str:
        return self.scenario.name

    @property
    def address(self) -> Endpoint:
        stomp = {device_class.link for device_class in self.scenario.classes} <= {"stomp-ws", "stomp-tcp"}
        return self.targets.hub if stomp else self.targets.mqtt

    @property
    def peers(self) -> tuple[Peer, ...]:
        every = {
            "mqtt": Peer(self.targets.mqtt, "--mqtt-url"),
            "stomp-ws": Peer(self.targets.hub, "--hub-url"),
            "stomp-tcp": Peer(self.targets.stomp, "--stomp-url"),
        }
        links = {one.link.removesuffix("5") for one in self.scenario.classes}
        links |= {one.link for one in self.scenario.dashboards}
        return tuple(peer for link, peer in every.items() if link in links)

    @property
    def duration_s(self) -> float | None:
        return None if self.scenario.duration == WITHOUT_END_S else self.scenario.duration

    @property
    def devices(self) -> int:
        return sum(self.scenario.counts)

    @property
    def dashboards(self) -> tuple[DashboardClass, ...]:
        return self.scenario.dashboards

    @property
    def bounds(self) -> Mapping[str, Bound]:
        return self.scenario.bounds

    @property
    def marks(self) -> tuple[Mark, ...]:
        marks: list[Mark] = []
        at_s = 0.0
        for number, stage in enumerate(self.scenario.stages, 1):
            name = f"stage {number}: {stage.connected:.0%} connected, {stage.rate:g} times the rate"
            marks.append(Mark("stage", name, at_s, at_s + stage.seconds))
            at_s += stage.seconds
        faults = [fault for device_class in self.scenario.classes for fault in device_class.faults]
        for fault in (*faults, *self.scenario.faults):
            for number, (begin_s, end_s) in enumerate(fault.spans()):
                if begin_s >= self.scenario.duration or number == MOST_SPANS:
                    break
                end = self.scenario.duration if end_s is None else min(end_s, self.scenario.duration)
                marks.append(Mark("fault", str(fault.kind), begin_s, end))
        return tuple(marks)

    def connections(self, share: Share) -> int:
        return len(range(share[0], self.devices, share[1]))

    def link(self, events: LinkEvents, share: Share) -> Link:
        return DeviceLink(device_identities(self.scenario, self.targets, share), events)

    def prepare(self, share: Share) -> Schedule:
        return Schedule(self.scenario, self.seed, share)
