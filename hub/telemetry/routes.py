"""Which topics carry telemetry, and how: what the topic names, and the decoder of its payloads.

Rules, in this order:
1. A route from the settings: an MQTT filter, the level that names the device, a decoder. The most specific matching filter
   wins (a literal level beats `+`, `+` beats `#`, compared level by level), then the one that stands first.
2. A format from the settings (formats.py): the same, with path expressions instead of a decoder; ranked with the routes.
3. A firmware that is known by its topics (firmwares.py).
4. Any other topic that came over a bridge is decoded by its content, unless it begins with $: those are what brokers,
   bridges and the hub say of themselves. Over MQTT everything else is telemetry until shown otherwise; a STOMP client's
   own topics are not.
A topic without a route is an ordinary topic: it is fanned out and not stored.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from hub.telemetry.decoders import DECODERS, Decoder
from hub.telemetry.errors import RouteError
from hub.telemetry.firmwares import FIRMWARES, Firmware
from hub.telemetry.formats import DeviceLevel, Format, FormatSettings
from hub.telemetry.origin import Origin
from hub.topics.names import ONE, REST, SEPARATOR, parse_filter
from hub.topics.tree import TopicTree

DEVICE_JOINT: Final = "."
ByContent: TypeAlias = Literal["bridged", "all", "off"]


class RouteSettings(BaseModel):
    """One `[[telemetry.routes]]` table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str = Field(description="MQTT topic filter, + and # allowed")
    decoder: str = Field(default="json", description="name of a built-in decoder")
    device: str | None = Field(default=None, min_length=1, description="the device, where the topic does not name it")
    device_level: DeviceLevel = Field(
        default=None,
        description="level of the topic that is the device, counted from 0; several, such as [1, 3], are joined by dots; "
        "without it the level of the first +, and where there is no + the whole topic",
    )
    arrays: bool = Field(default=False, description="store the elements of arrays as metrics name.0, name.1 ...")
    numbers: Literal["typed", "text"] = Field(
        default="typed", description="typed: a number in quotes is text; text: it is a number"
    )
    gateway: bool = Field(default=True, description="whether a payload may name another device than the topic does")
    zone: str = Field(default="UTC", description="what a time without a zone means: a name such as Europe/Berlin")


DEFAULT_ROUTES: Final = (RouteSettings(filter="devices/+/telemetry"),)


@dataclass(frozen=True, slots=True)
class Route:
    """What takes a topic. `name` is for people: the filter, or what the firmware is called."""

    name: str
    decoder: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class _FilterRoute:
    """A route from the settings that was checked."""

    filter: str
    decoder: str
    levels: int
    device: str | None
    device_levels: tuple[int, ...]
    template: Origin
    rank: tuple[tuple[int, ...], int]  # the smallest of those that match wins

    def route(self, topic: str) -> Route:
        levels = topic.split(SEPARATOR)
        rest = SEPARATOR.join(levels[self.levels - 1 :]) if self.filter.endswith(REST) else ""
        # `a/#` matches `a` as well
        named = bool(self.device_levels) and max(self.device_levels) < len(levels)
        if self.device is not None:
            device = self.device
        else:
            device = DEVICE_JOINT.join(levels[level] for level in self.device_levels) if named else topic
        in_route = named or self.device is not None
        return Route(
            self.filter,
            self.decoder,
            replace(self.template, topic=topic, device=device, device_in_route=in_route, rest=rest),
        )


class Routes:
    """All routes, with the question that the pipeline asks; `decoders` are what makes those that it names."""

    def __init__(
        self,
        settings: Sequence[RouteSettings] = DEFAULT_ROUTES,
        by_content: ByContent = "bridged",
        formats: Sequence[FormatSettings] = (),
    ) -> None:
        self._by_content = by_content
        self.decoders: dict[str, Callable[[], Decoder]] = dict(DECODERS)
        self._tree: TopicTree[_FilterRoute] = TopicTree()
        for position, setting in enumerate(settings):
            route = _checked(setting, position, DECODERS)
            self._tree.add(route.filter, route)
        for position, own in enumerate(formats, len(settings)):
            name = f"format {own.filter}"
            if name in self.decoders:
                raise RouteError(f"format {own.filter!r}: there is another with this filter")
            self.decoders[name] = _always(Format(own))
            route = _checked(_route_of(own, name), position, self.decoders)
            self._tree.add(route.filter, route)

    def find(self, topic: str, *, bridged: bool = False) -> Route | None:
        """Return what takes `topic`, by the rules above. Not cached here: the pipeline remembers topics."""
        if matches := self._tree.match(topic):
            return min(matches, key=lambda route: route.rank).route(topic)
        for firmware in FIRMWARES:
            if match := firmware.topics.fullmatch(topic):
                return _by_firmware(firmware, topic, match.groupdict())
        if topic.startswith("$"):
            return None
        if self._by_content == "all" or (bridged and self._by_content == "bridged"):
            return Route("any other topic", "content", Origin(topic, topic, device_in_route=False))
        return None


def _by_firmware(firmware: Firmware, topic: str, groups: dict[str, str | None]) -> Route:
    device = groups.get("device")
    origin = Origin(topic, device or topic, device_in_route=device is not None, rest=groups.get("rest") or "")
    return Route(firmware.name, firmware.decoder, origin)


def _always(decode: Decoder) -> Callable[[], Decoder]:
    """A format remembers nothing, so all pipelines may share it."""
    return lambda: decode


def _route_of(own: FormatSettings, decoder: str) -> RouteSettings:
    same = ("filter", "device_level", "arrays", "gateway", "zone")
    return RouteSettings(decoder=decoder, **own.model_dump(include=set(same)))


def _checked(setting: RouteSettings, position: int, decoders: Collection[str]) -> _FilterRoute:
    """Raise RouteError or TopicError for a route that cannot work."""
    levels = parse_filter(setting.filter)

    def wrong(problem: str) -> RouteError:
        return RouteError(f"route {setting.filter!r}: {problem}")

    if setting.decoder not in decoders:
        known = ", ".join(sorted(DECODERS))
        raise wrong(f"there is no decoder {setting.decoder!r}; known are {known}")
    stated = setting.device_level
    if stated is None and ONE in levels:
        stated = levels.index(ONE)
    device_levels = (stated,) if isinstance(stated, int) else stated or ()
    if (deepest := max(device_levels, default=0)) >= len(levels) and levels[-1] != REST:
        raise wrong(f"device_level {deepest} is beyond its {len(levels)} levels, counted from 0")
    if setting.device is not None and setting.device_level is not None:
        raise wrong("device and device_level both say what the device is; give one")
    try:
        zone = ZoneInfo(setting.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong(f"there is no time zone {setting.zone!r}; names are like Europe/Berlin") from None
    template = Origin(
        "",
        "",
        arrays=setting.arrays,
        numbers_in_text=setting.numbers == "text",
        gateway=setting.gateway,
        zone=zone,
    )
    specificity = tuple({ONE: 1, REST: 2}.get(level, 0) for level in levels)
    return _FilterRoute(
        setting.filter, setting.decoder, len(levels), setting.device, device_levels, template, (specificity, position)
    )
