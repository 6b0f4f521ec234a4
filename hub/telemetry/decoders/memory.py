"""What decoders remember of devices, bounded so that no stranger can evict a device at work.

Policy when the limit of devices, or of their parts (metrics, properties), is reached: those that were silent
longest go first, if silent for QUIET_US; while there are none, a new device is not remembered. Everything still is decoded
as far as the message says it itself.

Time is that of receipt, an argument.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

QUIET_US: Final = 3_600_000_000


class Remembered:
    """A device in a memory: what a decoder's own class begins with."""

    __slots__ = ("heard_us", "remembered", "size")

    def __init__(self) -> None:
        self.size = 0  # parts that are remembered
        self.heard_us = 0
        self.remembered = True


Device = TypeVar("Device", bound=Remembered)


class Memory(Generic[Device]):
    """Devices by name, the one that was silent longest first."""

    def __init__(self, make: Callable[[], Device], max_devices: int, max_parts: int) -> None:
        self._make = make
        self._devices: dict[str, Device] = {}
        self._max_devices = max_devices
        self._max_parts = max_parts
        self.parts = 0

    def __len__(self) -> int:
        return len(self._devices)

    def known(self, name: str, now_us: int) -> Device | None:
        """Return the device, which has just sent something, if it is remembered."""
        device = self._devices.pop(name, None)
        if device is not None:
            self._devices[name] = device
            device.heard_us = now_us
        return device

    def peek(self, name: str) -> Device | None:
        """Return the device if it is remembered; it has sent nothing now."""
        return self._devices.get(name)

    def heard(self, name: str, now_us: int) -> Device:
        """Return the device, which has just sent something; a new one, remembered where there is room, if it is not."""
        device = self.known(name, now_us)
        if device is None:
            self._forget_the_silent(now_us)
            device = self._make()
            device.heard_us = now_us
            device.remembered = len(self._devices) < self._max_devices and self.parts < self._max_parts
            if device.remembered:
                self._devices[name] = device
        return device

    def limit(self, device: Device) -> int:
        """Return the number of parts that the device may have."""
        return device.size + max(0, self._max_parts - self.parts)

    def resized(self, device: Device, before: int) -> None:
        """Count what was learnt or forgotten of a device that had `before` parts."""
        if device.remembered:
            self.parts += device.size - before

    def forget(self, name: str) -> None:
        device = self._devices.pop(name, None)
        if device is not None:
            self.parts -= device.size

    def _forget_the_silent(self, now_us: int) -> None:
        while self._devices and (len(self._devices) >= self._max_devices or self.parts >= self._max_parts):
            name, device = next(iter(self._devices.items()))
            if now_us - device.heard_us < QUIET_US:
                return
            self.forget(name)
