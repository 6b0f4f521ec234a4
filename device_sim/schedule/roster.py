"""Who is in the fleet: each device's number, id and class, and which of the faults it has.

Numbers count through the classes in their order. Chosen by the seed alone, so that every process of a run that is shared
out sees the same.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from device_sim.faults.registry import AnyFault
from device_sim.scenario.model import DeviceClass, Scenario


class Entry(NamedTuple):
    """One device."""

    number: int
    id: str
    device_class: DeviceClass


def roster(scenario: Scenario) -> list[Entry]:
    """Return all devices, in the order of their numbers."""
    return [
        Entry(number, device_id, device_class)
        for number, (device_id, device_class) in enumerate(
            (device_id, device_class)
            for device_class, count in zip(scenario.classes, scenario.counts, strict=True)
            for device_id in ids(device_class, count)
        )
    ]


def ids(device_class: DeviceClass, count: int) -> Iterator[str]:
    """Yield the ids of a class."""
    template, name = device_class.id, device_class.name
    return (template.format(number=number, **{"class": name}) for number in range(count))


def hit(fault: AnyFault, key: str, entries: Sequence[Entry]) -> frozenset[int]:
    """Return the numbers of the devices that have `fault`; `key` tells it from others for the seed."""
    if fault.ids is not None:
        wanted = set(fault.ids)
        return frozenset(entry.number for entry in entries if entry.id in wanted)
    count = max(round(fault.share * len(entries)), 1)
    if count == len(entries):
        return frozenset(entry.number for entry in entries)
    return frozenset(entry.number for entry in random.Random(key).sample(entries, count))
