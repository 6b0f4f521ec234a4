"""From a message on a telemetry topic to readings: stored, and published for those who watch.

Not here: what a topic means (routes), what a payload means (decoders), durability (storage), fan-out (broker).

Rules:
- `accept` never raises for bad input: what cannot be decoded is quarantined, durably, and counts as processed.
- Live does not wait for the disk: readings are published before the write is committed.
- A reading is encoded only when somebody subscribes to its series.
- What is remembered of topics and series is bounded; when full, all is forgotten and learned again (rare and cheap:
  2 µs a topic).

No I/O and no clock: the time of receipt is an argument.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Literal, Protocol

import structlog

from hub.broker.publication import Address, Arrival, Headers
from hub.telemetry import clock
from hub.telemetry.audience import Audience, Seen
from hub.telemetry.counters import PipelineCounters
from hub.telemetry.decoders import MEDIA_TYPES, Decoder
from hub.telemetry.device_states import DeviceStates
from hub.telemetry.explanation import Explanation
from hub.telemetry.last_readings import LastReadings
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.readings_topic import Series
from hub.telemetry.routes import Route, Routes
from hub.telemetry.validation import MAX_ITEMS, OLDEST_US, US_PER_S, TimeWindow, name_fault, value_fault
from hub.topics.destinations import Destination, Kind
from storage.clock import DatabaseClock
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

log = structlog.get_logger("hub")
DECODER_DEFECT: Final = "decoder_defect"
HUB_CLOCK: Final = "hub_clock"  # a time refused by a clock that was not compared with the database's, or disagreed
MAX_PLACES: Final = 50_000  # topics remembered: about 400 bytes each
MAX_PLACE_CHARS: Final = 512  # longer ones are looked up each time: fifty thousand names of 8 KiB are 400 MiB
DEFAULT_WINDOW: Final = TimeWindow()


class ReadingSink(Protocol):
    """The part of the store that the pipeline needs.

    `write`, `quarantine` and `device_state` return at once with the future of their batch; futures resolve after
    commit, in the order of the calls. `extra_bytes` is the memory that texts hold; the size of the payload stands for it.
    """

    def write(self, readings: Sequence[Reading], extra_bytes: int, /) -> asyncio.Future[None]: ...
    def quarantine(self, item: QuarantinedPayload, /) -> asyncio.Future[None]: ...
    def device_state(self, item: DeviceState, /) -> asyncio.Future[None]: ...


class Place:
    """What is known about one telemetry topic."""

    __slots__ = ("bridged", "decode", "learns_units", "origin", "overridable", "route", "series")

    def __init__(self, route: Route, decode: Decoder, bridged: bool) -> None:
        self.route = route
        self.bridged = bridged
        self.origin = route.origin
        self.decode = decode
        self.overridable = route.row.guesses
        self.learns_units = route.row.learns_units
        # By metric for the topic's own device, else by (device, metric). Names in it have been checked.
        self.series: dict[str | tuple[str, str], Series] = {}


class Pipeline:
    """The one way into storage; see the head of this file."""

    def __init__(
        self,
        routes: Routes,
        store: ReadingSink,
        audience: Audience,
        window: TimeWindow = DEFAULT_WINDOW,
        clock: DatabaseClock | None = None,
        *,
        last_wins: bool = False,
    ) -> None:
        self.counters = PipelineCounters()
        self._routes = routes
        self._store = store
        self._audience = audience
        self.window = window
        self._clock = clock
        self._last_wins = last_wins
        self._decoders: dict[str, Decoder] = {}
        # By how a topic came: directly from a STOMP client, or over a bridge. None: no route takes it.
        self._places: tuple[dict[str, Place | None], dict[str, Place | None]] = ({}, {})
        self.last = LastReadings()
        self.states = DeviceStates()
        self._notes = Notes()  # reused until a message leaves a remark
        self._received_us = 0  # of the last message

    def accept(
        self,
        topic: str,
        body: bytes,
        content_type: str | None,
        now_us: int,
        retained: bool = False,
        bridged: bool = False,
    ) -> asyncio.Future[None] | None:
        """Take one message; see `accept_all`. Return the future of its durability, None when no route takes the topic."""
        items = () if content_type is None else (("content-type", content_type),)
        arrival = Arrival(Address(Destination(Kind.TOPIC, topic)), body, Headers(items, retained=retained))
        return next(iter(self.accept_all((arrival,), now_us, bridged)), None)

    def accept_all(  # noqa: C901, PLR0912, PLR0915 - the hot path: a call of a function costs as much as a reading
        self, arrivals: Iterable[Arrival], now_us: int, bridged: bool = False
    ) -> dict[asyncio.Future[None], None]:
        """Decode, publish, store messages that came together at `now_us`, in µs since 1970 UTC.

        Each message is received at a µs of its own: see clock.py. Where the hub's clock and the database's disagree
        the database's counts: see storage/clock.py.

        Return the futures of their durability in the order in which they resolve, none for topics that no route takes.
        A `retained` message is old state: what it holds without a device time is not stored (device-formats 0.5).
        `bridged` says that they were MQTT messages: see routes.py.
        """
        if self._clock is not None:
            now_us = self._clock.corrected(now_us)
        futures: dict[asyncio.Future[None], None] = {}
        places = self._places[bridged]
        explaining = self._audience.of_explanations
        watched = self._audience.of_readings
        seen: list[Seen] = []  # while somebody watches
        newest_us = now_us + self.window.future_us
        gathered: list[Reading] = []
        size = taken = 0
        received_us = clock.before_next(self._received_us, now_us)
        notes = self._notes
        for address, body, headers, _ in arrivals:
            topic = address.name
            content_type = headers.content_type
            retained = headers.retained and bridged
            try:
                place = places[topic]
            except KeyError:
                place = self._learn_topic(topic, bridged)
            if place is None:
                if explaining and self._audience.wants_explanation(topic):
                    self._audience.explain(Explanation(topic, bridged, retained))
                continue
            taken += 1
            received_us += 1
            decode = place.decode
            origin = place.origin
            if content_type is not None and place.overridable:
                decode = self._decoder_for(content_type, decode)
            if origin.local_times is not None:
                notes.received_us = received_us
            try:
                readings = decode(body, origin, received_us, notes)
                if len(readings) > MAX_ITEMS:
                    raise PayloadError("too_many_items", f"more than {MAX_ITEMS} values in one payload")  # noqa: TRY301
            except Exception as error:  # noqa: BLE001 - border: a defect of a decoder must not stop what comes behind
                refusal = _refusal(error, place)
                if explaining:
                    self._explain_place(place, bridged, retained, (), notes, refusal)
                notes = self._notes = Notes()
                self._write(gathered, size, futures)
                gathered, size = [], 0
                futures[self._quarantine(place, body, content_type, retained, *refusal, received_us)] = None
                continue
            own_us = received_us
            if notes.dirty:
                if retained:
                    readings = self._without_old_state(readings, notes, received_us)
                received_us = clock.set_apart(readings, received_us)
            if place.learns_units:
                readings = self._with_units(place, readings, notes)
            known = place.series
            own = origin.device
            for reading in readings:
                device, metric, time_us, value, unit = reading
                series = known.get(metric) if device == own else None
                if series is None:
                    series = self._learn_series(place, reading, notes)
                    if series is None:
                        continue
                if value.__class__ is not series.sound_kind or unit is not series.sound_unit:
                    if fault := value_fault(metric, value, unit):
                        notes.fault(*fault)
                        continue
                    series.found_sound(value, unit)
                if not OLDEST_US <= time_us <= newest_us:
                    zoneless = str(origin.zone) if time_us == notes.zoneless_us else ""
                    problem = self.window.fault(time_us, now_us, zoneless=zoneless)
                    notes.fault(self._clock_reason(time_us), f"{metric!r}: {problem}")
                    continue
                last = series.last
                late = False
                if last is None or time_us > last[2]:
                    series.last = reading
                elif time_us < last[2]:
                    late = True
                elif reading != last:
                    self._meet(series, reading, last, readings, notes)
                if watched:
                    seen.append((series, reading, late))
            remarks = notes
            if notes.dirty:
                transient = self._transient(place, notes, now_us)
                if watched:
                    seen += transient
                self._write(gathered, size, futures)
                gathered, size = [], 0
                stored = self._finish_with_notes(place, body, content_type, retained, readings, notes, own_us)
                futures[stored] = None
                notes = self._notes
            elif readings:
                gathered += readings
                size += len(body)
            else:
                futures[self._nothing()] = None
            if explaining:
                good = self._storable(readings, now_us) if remarks.faults else readings
                self._explain_place(place, bridged, retained, good, remarks, ("", ""))
        self._received_us = received_us
        self.counters.messages += taken
        self._write(gathered, size, futures)
        if seen:
            self.counters.published += self._audience.show_readings(seen)
        return futures

    def _write(self, readings: list[Reading], size: int, futures: dict[asyncio.Future[None], None]) -> None:
        """Store readings without remarks; what comes after them in the futures resolves after them."""
        if readings:
            self.counters.readings += len(readings)
            futures[self._store.write(readings, size)] = None

    def _finish_with_notes(
        self,
        place: Place,
        body: bytes,
        content_type: str | None,
        retained: bool,
        readings: list[Reading],
        notes: Notes,
        now_us: int,
    ) -> asyncio.Future[None]:
        """Store what is good; quarantine the payload as well if a part of it ought to have been a reading."""
        self._notes = Notes()
        self.counters.add(notes)
        stored = self._store_states(notes)
        self._send_commands(notes)
        good = readings
        if notes.faults or notes.historical:
            good = self._storable((*readings, *notes.historical), now_us)
            if len(good) < len(readings) + len(notes.historical) and not notes.faults:
                notes.fault("clock", "a historical reading has a time or a name that cannot be stored")
        self.counters.readings += len(good)
        if good:
            stored = self._store.write(good, len(body))
        if notes.faults:
            # After the write: futures resolve in order, so this one stands for both.
            return self._quarantine(place, body, content_type, retained, notes.faults[0][0], notes.summary(), now_us)
        return stored if stored is not None else self._nothing()

    def _storable(self, readings: Sequence[Reading], now_us: int) -> list[Reading]:
        """Return those whose time and names can be stored."""
        newest_us = self.window.newest_us(now_us)
        return [
            reading
            for reading in readings
            if OLDEST_US <= reading.time_us <= newest_us
            and not name_fault(reading.metric)
            and not name_fault(reading.device)
            and not value_fault(reading.metric, reading.value, reading.unit)
        ]

    def _without_old_state(self, readings: list[Reading], notes: Notes, received_us: int) -> list[Reading]:
        """Leave out readings of a retained message that have no time of their own."""
        if not notes.untimed and not notes.reckoned_us:
            return readings
        untimed = notes.reckoned_us | {received_us}
        timed = [reading for reading in readings if reading.time_us not in untimed]
        notes.old_state = len(readings) - len(timed)
        notes.untimed = 0
        self.counters.retained_untimed += notes.old_state
        return timed

    def _transient(self, place: Place, notes: Notes, now_us: int) -> list[Seen]:
        """Return the readings to publish and not store; they make no other reading late."""
        seen: list[Seen] = []
        for reading in notes.transient:
            series = self._learn_series(place, reading, notes)
            if fault := value_fault(reading.metric, reading.value, reading.unit):
                notes.fault(*fault)
            elif series is not None and not self.window.fault(reading.time_us, now_us):
                seen.append((series, reading, series.last is not None and reading.time_us < series.last.time_us))
        return seen

    def _store_states(self, notes: Notes) -> asyncio.Future[None] | None:
        """Publish and store what is new of devices; return the future of the last."""
        stored = None
        for state in notes.states:
            if fault := name_fault(state.device):
                notes.fault("bad_device", f"the name {state.device[:80]!r} {fault}")
            elif self.states.learn(state):
                self._audience.show_state(state)
                stored = self._store.device_state(state)
        return stored

    def _send_commands(self, notes: Notes) -> None:
        for command in notes.commands:
            self.counters.commands += 1
            self._audience.send(command)

    def _explain_place(
        self,
        place: Place,
        bridged: bool,
        retained: bool,
        readings: Sequence[Reading],
        notes: Notes,
        refused: tuple[str, str],
    ) -> None:
        route, origin = place.route, place.origin
        if self._audience.wants_explanation(origin.topic):
            names = (route.name, route.decoder, origin.device)
            self._audience.explain(Explanation(origin.topic, bridged, retained, *names, readings, notes, refused))

    def _quarantine(
        self,
        place: Place,
        body: bytes,
        content_type: str | None,
        retained: bool,
        reason: str,
        detail: str,
        now_us: int,
    ) -> asyncio.Future[None]:
        topic = place.origin.topic
        self.counters.refuse(topic, reason)
        origin: Literal["bridge", "direct"] = "bridge" if place.bridged else "direct"
        return self._store.quarantine(
            QuarantinedPayload(topic, body, reason, now_us, detail, content_type, origin, retained)
        )

    def _meet(self, series: Series, reading: Reading, last: Reading, readings: Sequence[Reading], notes: Notes) -> None:
        """Settle which of two readings of one time is the last, and note when they contradict each other."""
        if reading.unit != last.unit:
            series.last = reading  # of another series
            return
        if self._last_wins:
            series.last = reading
        value, other = reading.value, last.value
        if value == other or (value != value and other != other):  # noqa: PLR0124 - NaN is like NaN
            return
        detail = f"{reading.metric!r} is {value!r} and was {other!r} at {clock.iso_utc(reading.time_us)}"
        if reading.time_us % US_PER_S == 0 and not any(one is last for one in readings):
            detail += (
                "; the time has whole seconds, and the times of receipt tell them apart: `ignore_time` takes those"
            )
        notes.conflict(detail)

    def _clock_reason(self, time_us: int) -> str:
        """Return the reason for a refused time; one refused by a clock that may be wrong can be mended by a retry."""
        ahead = time_us >= OLDEST_US
        return HUB_CLOCK if ahead and self._clock is not None and not self._clock.trusted else "clock"

    def _nothing(self) -> asyncio.Future[None]:
        """Return a future that is done: the payload was understood and holds nothing to keep."""
        self.counters.messages_without_readings += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def _decoder(self, name: str) -> Decoder:
        decode = self._decoders.get(name)
        if decode is None:
            decode = self._decoders[name] = self._routes.decoders[name].make()
        return decode

    def _decoder_for(self, content_type: str, by_route: Decoder) -> Decoder:
        """Return the decoder that a content-type names, else the route's: most senders say text/plain to everything."""
        name = MEDIA_TYPES.get(content_type) or MEDIA_TYPES.get(content_type.partition(";")[0].strip().lower())
        return self._decoder(name) if name else by_route

    def _learn_topic(self, topic: str, bridged: bool) -> Place | None:
        route = self._routes.find(topic, bridged=bridged)
        place = None if route is None else Place(route, self._decoder(route.decoder), bridged)
        if len(topic) > MAX_PLACE_CHARS:
            return place
        if len(self._places[0]) + len(self._places[1]) >= MAX_PLACES:
            self._forget()
        self._places[bridged][topic] = place
        return place

    def _learn_series(self, place: Place, reading: Reading, notes: Notes) -> Series | None:
        """Return the series of a reading, remembered from now on; None, and a fault, if a name cannot be stored."""
        key = reading.metric if reading.device == place.origin.device else (reading.device, reading.metric)
        series = place.series.get(key)
        if series is not None:
            return series
        for reason, name in (("bad_device", reading.device), ("bad_metric", reading.metric)):
            if fault := name_fault(name):
                notes.fault(reason, f"the name {name[:80]!r} {fault}")
                return None
        if self.last.full:
            self._forget()
            place.series.clear()  # it may be of a message in flight, outside the forgotten table
        series = place.series[key] = self.last.series(reading.device, reading.metric)
        return series

    def _with_units(self, place: Place, readings: list[Reading], notes: Notes) -> list[Reading]:
        """Return the readings of a decoder that learns units, with the units it has not learnt again yet."""
        for position, reading in enumerate(readings):
            if isinstance(reading.value, bool | str):
                continue
            series = self._learn_series(place, reading, notes)
            if series is None:
                continue
            if reading.unit:
                series.unit = ""  # the decoder knows it again, and when it is gone
            elif series.unit:
                readings[position] = reading._replace(unit=series.unit)
        return readings

    def _forget(self) -> None:
        for places in self._places:
            places.clear()
        self.last.clear()


def _refusal(error: Exception, place: Place) -> tuple[str, str]:
    """Return reason and detail for the quarantine; any other error than PayloadError is a bug of ours, and is logged."""
    if isinstance(error, PayloadError):
        return error.reason, error.detail
    log.error("decoder_defect", decoder=place.route.decoder, topic=place.origin.topic[:200], exc_info=error)
    return DECODER_DEFECT, f"{type(error).__name__}: {error}"
