"""Device state: whether a device is there, as it or its broker's will says. Not a reading: it has no series.

The newest by time stays in the devices table; a repeat of an older one changes nothing.
"""

from typing import NamedTuple


class DeviceState(NamedTuple):
    """What an availability topic, a birth or a death said."""

    device: str
    online: bool
    state: str
    """The word of the format: `online`, `offline`, `ready`, `lost`, `stale` …"""
    time_us: int
    """When it was so, in microseconds since 1970-01-01 UTC: the format's time, else the hub's."""
