"""Where a format may publish: topics on which a hub without configuration reads it, as the rows of its decoders say.

A format of a firmware publishes on the topics of that firmware's row; a plain one anywhere but on those, as the hub knows
it by its content.
"""

import re
from typing import Final

from device_sim.payloads.format import Format
from hub.telemetry.decoders import ROWS, Row

TELEMETRY_TOPIC: Final = "devices/{device}/telemetry"
ANY_TOPIC: Final = re.compile(r"[^+#\0]*\{device\}[^+#\0]*")
PER_METRIC: Final = re.compile(r"[^+#\0]*\{device\}[^+#\0]*/\{metric\}")
_DEFAULT_ROUTE: Final = re.compile(r"devices/([^/]+)/telemetry")
_OF_THE_BROKER: Final = "$"


def telemetry_device(topic: str) -> str:
    """Return what the hub calls the device that publishes to `topic`: by its default route, else the whole topic."""
    match = _DEFAULT_ROUTE.fullmatch(topic)
    return match[1] if match else topic


def takes(form: Format, topic: str) -> bool:
    """Return whether a hub without configuration reads the format's messages on a topic with placeholders."""
    if not form.topic_pattern.fullmatch(topic):
        return False
    row = row_of(_example(form, topic))
    return form.decoder == ("" if row is None else row.name) and not topic.startswith(_OF_THE_BROKER)


def row_of(topic: str) -> Row | None:
    """Return the hub's decoder that takes a topic by its name; None where only the content tells."""
    return next((row for row in ROWS if any(known.pattern.fullmatch(topic) for known in row.topics)), None)


def _example(form: Format, topic: str) -> str:
    levels = form.metric_example.replace(".", "/") if form.dots_are_levels else form.metric_example
    return topic.replace("{device}", form.id_example).replace("{metric}", levels)
