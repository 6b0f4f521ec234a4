"""Which topics carry telemetry, and how: an MQTT filter, the level that names the device, a decoder.

Rules: the most specific matching filter wins (a literal level beats `+`, `+` beats `#`, compared level by level), then
the one that stands first. A topic without a route is an ordinary topic: it is fanned out and not stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from hub.telemetry.decoders import DECODERS
from hub.telemetry.errors import RouteError
from hub.telemetry.origin import Origin
from hub.topics.names import ONE, REST, SEPARATOR, parse_filter
from hub.topics.tree import TopicTree


class RouteSettings(BaseModel):
    """One `[[telemetry.routes]]` table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str = Field(description="MQTT topic filter, + and # allowed")
    decoder: str = Field(default="json", description="name of a built-in decoder")
    device_level: int | None = Field(
        default=None,
        ge=0,
        description="level of the topic that is the device, counted from 0; without it the level of the first +, "
        "and where there is no + the whole topic",
    )
    arrays: bool = Field(default=False, description="store the elements of arrays as metrics name.0, name.1 ...")


DEFAULT_ROUTES: Final = (RouteSettings(filter="devices/+/telemetry"),)


@dataclass(frozen=True, slots=True)
class Route:
    """A route that was checked."""

    filter: str
    decoder: str
    device_level: int | None
    arrays: bool
    rank: tuple[tuple[int, ...], int]  # the smallest of those that match wins

    def origin(self, topic: str) -> Origin:
        levels = topic.split(SEPARATOR)
        if self.device_level is None or self.device_level >= len(levels):  # `a/#` matches `a` as well
            return Origin(topic, topic, device_in_route=False, arrays=self.arrays)
        return Origin(topic, levels[self.device_level], arrays=self.arrays)


class Routes:
    """All routes, with the question that the pipeline asks."""

    def __init__(self, settings: Sequence[RouteSettings] = DEFAULT_ROUTES) -> None:
        self._tree: TopicTree[Route] = TopicTree()
        for position, setting in enumerate(settings):
            route = _checked(setting, position)
            self._tree.add(route.filter, route)

    def find(self, topic: str) -> Route | None:
        """Return the most specific route that takes `topic`. Not cached here: the pipeline remembers topics."""
        return min(self._tree.match(topic), key=lambda route: route.rank, default=None)


def _checked(setting: RouteSettings, position: int) -> Route:
    """Raise RouteError or TopicError for a route that cannot work."""
    levels = parse_filter(setting.filter)
    if setting.decoder not in DECODERS:
        known = ", ".join(sorted(DECODERS))
        raise RouteError(f"route {setting.filter!r}: there is no decoder {setting.decoder!r}; known are {known}")
    device_level = setting.device_level
    if device_level is None:
        device_level = levels.index(ONE) if ONE in levels else None
    elif device_level >= len(levels) and levels[-1] != REST:
        raise RouteError(
            f"route {setting.filter!r}: device_level {device_level} is beyond its {len(levels)} levels, counted from 0"
        )
    specificity = tuple({ONE: 1, REST: 2}.get(level, 0) for level in levels)
    return Route(setting.filter, setting.decoder, device_level, setting.arrays, (specificity, position))
