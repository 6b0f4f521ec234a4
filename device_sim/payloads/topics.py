"""Topics of formats that a hub does not know by their topic."""

import re
from typing import Final

TELEMETRY_TOPIC: Final = "devices/{device}/telemetry"
# Not the topics that mean a firmware to the hub, nor its own.
_NO_FIRMWARE: Final = (
    r"(?!spBv1\.0/|application/|v3/|homie/|zigbee2mqtt/|homeassistant/|tele/|stat/|cmnd/|\$)"
    r"(?![^/]+/(?:tele|stat|cmnd)/)"
)
TELEMETRY: Final = re.compile(
    _NO_FIRMWARE + r"(?!.*/(?:events/rpc|online|debug|state|config|status/[^/]*)$)[^+#\0]*\{device\}[^+#\0]*"
)
ANY_TOPIC: Final = re.compile(r"[^+#\0]*\{device\}[^+#\0]*")
PER_METRIC: Final = re.compile(_NO_FIRMWARE + r"[^+#\0]*\{device\}[^+#\0]*/\{metric\}")
_DEFAULT_ROUTE: Final = re.compile(r"devices/([^/]+)/telemetry")


def telemetry_device(topic: str) -> str:
    """Return what the hub calls the device that publishes to `topic`: by its default route, else the whole topic."""
    match = _DEFAULT_ROUTE.fullmatch(topic)
    return match[1] if match else topic
