"""Which topics carry telemetry, and how: what the topic names, and the decoder of its payloads.

Rules, in this order:
1. A route from the settings: an MQTT filter, the level that names the device, a decoder. The most specific matching filter
   wins (a literal level beats `+`, `+` beats `#`, compared level by level), then the one that stands first.
2. A format from the settings (formats.py): the same, with path expressions instead of a decoder; ranked with the routes.
3. A firmware that is known by its topics (the rows of the decoders).
4. Any other topic that came over a bridge is decoded by its content, unless it begins with $: those are what brokers,
   bridges and the hub report about themselves. Over MQTT everything else is telemetry until shown otherwise; a STOMP
   client's own topics are not.
A topic without a route is an ordinary topic: it is fanned out and not stored. So are `readings` and what is below it, where
the hub itself publishes.

A topic's levels become names: those of `device_level` the device, and those of `metric_level` the metric, or its beginning
where the payload has names of its own. Without `metric_level` these are the levels under the route's `#`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from hub.telemetry.decoders import DECODERS, ROWS, Row
from hub.telemetry.decoders.row import ALL_OPTIONS
from hub.telemetry.formats import DeviceLevel, Format, FormatSettings, MetricLevel
from hub.telemetry.origin import JOINT, Encoding, Origin, RouteError
from hub.telemetry.readings_topic import FIRST_LEVEL
from hub.topics.names import ONE, REST, SEPARATOR, parse_filter
from hub.topics.tree import TopicTree

DEFAULT_ZONE: Final = "UTC"
ByContent: TypeAlias = Literal["bridged", "all", "off"]


class RouteSettings(BaseModel):
    """One `[[telemetry.routes]]` table of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str = Field(description="MQTT topic filter, + and # allowed")
    decoder: str = Field(default="json", description="name of a built-in decoder")
    device: str | None = Field(default=None, min_length=1, description="the device, if the topic does not name it")
    device_level: DeviceLevel = Field(
        default=None,
        description="level of the topic that is the device, counted from 0; several, such as [1, 3], are joined by dots; "
        "without it the level of the first +, and where there is no + the whole topic",
    )
    metric_level: MetricLevel = Field(
        default=None,
        description="levels of the topic that are the metric's name, or stand before the names in the payload: one, "
        "several, rest for all wildcard levels but the device's, [] for none; by default those under #",
    )
    arrays: bool = Field(default=False, description="store the elements of arrays as metrics name.0, name.1 ...")
    numbers: Literal["typed", "text"] = Field(
        default="typed", description="typed: a number in quotes is text; text: it is a number"
    )
    gateway: bool = Field(default=True, description="whether a payload may name another device than the topic does")
    zone: str | None = Field(
        default=None, description="what a time without a zone means: a name such as Europe/Berlin; none: telemetry.zone"
    )
    encoding: Encoding = Field(default="utf-8", description="how text is encoded; old firmware writes latin-1")
    ignore_time: bool = Field(default=False, description="ignore the payload's times; readings get the time of receipt")


DEFAULT_ROUTES: Final = (RouteSettings(filter="devices/+/telemetry"),)


@dataclass(frozen=True, slots=True)
class Route:
    """What takes a topic. `name` is for people: the filter, or what the firmware is called."""

    name: str
    row: Row
    origin: Origin

    @property
    def decoder(self) -> str:
        """Return the decoder's name."""
        return self.row.name


@dataclass(frozen=True, slots=True)
class _FilterRoute:
    """A route from the settings that was checked."""

    filter: str
    row: Row
    levels: tuple[str, ...]  # of the filter
    device: str | None
    device_levels: tuple[int, ...]
    metric_levels: tuple[int, ...] | None  # None: those under #
    all_others: bool  # metric_level = "rest"
    template: Origin
    rank: tuple[tuple[int, ...], int]  # the smallest of those that match wins

    def route(self, topic: str) -> Route:
        levels = topic.split(SEPARATOR)
        # `a/#` matches `a` as well
        named = bool(self.device_levels) and max(self.device_levels) < len(levels)
        if self.device is not None:
            device = self.device
        else:
            device = JOINT.join(levels[level] for level in self.device_levels) if named else topic
        origin = replace(
            self.template,
            topic=topic,
            device=device,
            device_in_route=named or self.device is not None,
            rest=self._rest(levels, named=named),
            metric=self._metric(levels) if named or self.device is not None else "",
        )
        return Route(self.filter, self.row, origin)

    def _rest(self, levels: list[str], *, named: bool) -> str:
        """Return what is under the `#`, or where there is none what stands behind the device."""
        if self.levels[-1] == REST:
            return SEPARATOR.join(levels[len(self.levels) - 1 :])
        return SEPARATOR.join(levels[max(self.device_levels) + 1 :]) if named else ""

    def _metric(self, levels: list[str]) -> str:
        if "metric_level" not in self.row.options:
            return ""
        wild = len(self.levels) - 1 if self.levels[-1] == REST else len(levels)
        if self.metric_levels is not None:
            chosen: Sequence[int] = [level for level in self.metric_levels if level < len(levels)]
        elif self.all_others:
            chosen = [level for level in range(len(levels)) if level >= wild or self.levels[level] in {ONE, REST}]
        else:
            chosen = range(wild, len(levels))
        return JOINT.join(levels[level] for level in chosen if level not in self.device_levels)


class Routes:
    """All routes, with the question that the pipeline asks; `decoders` are the rows that they name.

    `zone` is what a time without a zone means on topics whose route names none.
    """

    def __init__(
        self,
        settings: Sequence[RouteSettings] = DEFAULT_ROUTES,
        by_content: ByContent = "bridged",
        formats: Sequence[FormatSettings] = (),
        zone: str = DEFAULT_ZONE,
    ) -> None:
        self._by_content = by_content
        self._zone = _zone(zone, "telemetry.zone")
        self.decoders: dict[str, Row] = dict(DECODERS)
        self._tree: TopicTree[_FilterRoute] = TopicTree()
        for position, setting in enumerate(settings):
            route = _checked(setting, position, self.decoders, self._zone)
            self._tree.add(route.filter, route)
        for position, own in enumerate(formats, len(settings)):
            name = f"format {own.filter}"
            if name in self.decoders:
                raise RouteError(f"format {own.filter!r}: there is another with this filter")
            decode = Format(own)  # it remembers nothing, so all pipelines may share it
            self.decoders[name] = Row(name, lambda decode=decode: decode, options=ALL_OPTIONS)  # type: ignore[misc]
            route = _checked(_route_of(own, name), position, self.decoders, self._zone)
            self._tree.add(route.filter, route)

    def find(self, topic: str, *, bridged: bool = False) -> Route | None:
        """Return what takes `topic`, by the rules above. Not cached here: the pipeline remembers topics."""
        if topic == FIRST_LEVEL or topic.startswith(f"{FIRST_LEVEL}{SEPARATOR}"):
            return None
        if matches := self._tree.match(topic):
            return min(matches, key=lambda route: route.rank).route(topic)
        for row in ROWS:
            for known in row.topics:
                if match := known.pattern.fullmatch(topic):
                    return self._by_firmware(known.name, row, topic, match.groupdict())
        if topic.startswith("$"):
            return None
        if self._by_content == "all" or (bridged and self._by_content == "bridged"):
            origin = Origin(topic, topic, device_in_route=False, zone=self._zone)
            return Route("any other topic", DECODERS["content"], origin)
        return None

    def _by_firmware(self, name: str, row: Row, topic: str, groups: dict[str, str | None]) -> Route:
        joined = groups.get("joined")
        device = groups.get("device") if joined is None else joined.replace(SEPARATOR, JOINT)
        origin = Origin(
            topic,
            device or topic,
            device_in_route=device is not None,
            rest=groups.get("rest") or "",
            metric=(groups.get("metric") or "").replace(SEPARATOR, JOINT),
            zone=self._zone,
        )
        return Route(name, row, origin)


def _route_of(own: FormatSettings, decoder: str) -> RouteSettings:
    same = ("filter", "device_level", "arrays", "gateway", "zone", "encoding", "ignore_time")
    metric_level = () if own.metric_level is None else own.metric_level
    return RouteSettings(decoder=decoder, metric_level=metric_level, **own.model_dump(include=set(same)))


def _checked(setting: RouteSettings, position: int, decoders: Mapping[str, Row], zone: ZoneInfo) -> _FilterRoute:
    """Raise RouteError or TopicError for a route that cannot work."""
    levels = parse_filter(setting.filter)

    def wrong(problem: str) -> RouteError:
        return RouteError(f"route {setting.filter!r}: {problem}")

    row = decoders.get(setting.decoder)
    if row is None:
        known = ", ".join(sorted(DECODERS))
        raise wrong(f"there is no decoder {setting.decoder!r}; known are {known}")
    _check_options(setting, row, wrong)
    if levels[0] == FIRST_LEVEL:
        raise wrong(f"topics below {FIRST_LEVEL} are the hub's own and are never decoded")
    stated = setting.device_level
    if stated is None and ONE in levels:
        stated = levels.index(ONE)
    device_levels = (stated,) if isinstance(stated, int) else stated or ()
    chosen_levels = setting.metric_level
    metric_levels = (
        (chosen_levels,) if isinstance(chosen_levels, int) else None if chosen_levels == "rest" else chosen_levels
    )
    for name, chosen in (("device_level", device_levels), ("metric_level", metric_levels or ())):
        if (deepest := max(chosen, default=0)) >= len(levels) and levels[-1] != REST:
            raise wrong(f"{name} {deepest} is beyond its {len(levels)} levels, counted from 0")
    if setting.device is not None and setting.device_level is not None:
        raise wrong("device and device_level both say what the device is; give one")
    if metric_levels and not set(metric_levels).isdisjoint(() if setting.device else device_levels):
        raise wrong("a level is in device_level and in metric_level; it can be one of them")
    template = Origin(
        "",
        "",
        arrays=setting.arrays,
        numbers_in_text=setting.numbers == "text",
        gateway=setting.gateway,
        zone=zone if setting.zone is None else _zone(setting.zone, f"route {setting.filter!r}"),
        encoding=setting.encoding,
        ignore_time=setting.ignore_time,
    )
    specificity = tuple({ONE: 1, REST: 2}.get(level, 0) for level in levels)
    return _FilterRoute(
        setting.filter,
        row,
        tuple(levels),
        setting.device,
        () if setting.device is not None else device_levels,
        metric_levels,
        setting.metric_level == "rest",
        template,
        (specificity, position),
    )


def _check_options(setting: RouteSettings, row: Row, wrong: Callable[[str], RouteError]) -> None:
    """Refuse an option that the decoder would ignore."""
    asked = [
        option
        for option in sorted(ALL_OPTIONS)
        if getattr(setting, option) not in {RouteSettings.model_fields[option].default, ()}
    ]
    if ignored := [option for option in asked if option not in row.options]:
        has = ", ".join(sorted(row.options)) or "none of these options"
        raise wrong(f"the decoder {row.name!r} has no {' and no '.join(ignored)}; it has {has}")


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RouteError(f"{where}: there is no time zone {name!r}; names are like Europe/Berlin") from None
