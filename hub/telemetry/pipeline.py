"""From a message on a telemetry topic to readings: stored, and published for those who watch.

Not here: what a topic means (routes), what a payload means (decoders), durability (storage), fan-out (broker).

Rules:
- `accept` never raises for bad input: what cannot be decoded is quarantined, durably, and counts as processed.
- Live does not wait for the disk: readings are published before the write is committed.
- A reading is encoded only when somebody subscribes to its series.
- What is remembered of topics and series is bounded; full means forget all and learn again (rare, and cheap to refill:
  2 µs a topic).

No I/O and no clock: the time of receipt is an argument.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from hub.stomp.frames import NO_HEADERS, UserHeaders
from hub.telemetry.counters import PipelineCounters
from hub.telemetry.decoders import GUESSING, MEDIA_TYPES, Decoder
from hub.telemetry.device_states import HEADERS as STATE_HEADERS
from hub.telemetry.device_states import DeviceStates, body_of, destination_of
from hub.telemetry.errors import PayloadError
from hub.telemetry.explanation import EXPLAIN_LEVEL, Explanation
from hub.telemetry.explanation import HEADERS as EXPLAIN_HEADERS
from hub.telemetry.explanation import PREFIX as EXPLAIN_PREFIX
from hub.telemetry.last_readings import READING_HEADERS, LastReadings
from hub.telemetry.notes import Notes
from hub.telemetry.readings_topic import FIRST_LEVEL, Series
from hub.telemetry.routes import Route, Routes
from hub.telemetry.validation import OLDEST_US, TimeWindow, name_fault
from storage.device_state import DeviceState
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

MAX_PLACES: Final = 50_000  # topics remembered: about 400 bytes each
DEFAULT_WINDOW: Final = TimeWindow()


class ReadingSink(Protocol):
    """The part of the store that the pipeline needs.

    `write`, `quarantine` and `device_state` return at once with the future of the batch they rest in; futures resolve after
    commit, in the order of the calls. `extra_bytes` is the memory that texts hold; the size of the payload stands for it.
    `observe` tells whether a time is behind one already seen for the series.
    """

    def write(self, readings: Sequence[Reading], extra_bytes: int, /) -> asyncio.Future[None]: ...
    def quarantine(self, item: QuarantinedPayload, /) -> asyncio.Future[None]: ...
    def device_state(self, item: DeviceState, /) -> asyncio.Future[None]: ...
    def observe(self, device: str, metric: str, time_us: int, /) -> bool: ...


class Audience(Protocol):
    """The part of the broker that the pipeline needs."""

    def listening(self, first_level: str) -> bool: ...
    def wanted(self, destination: str) -> bool: ...
    def publish(self, destination: str, body: bytes, headers: UserHeaders, value: float | None, /) -> int: ...


class Place:
    """What is known about one telemetry topic."""

    __slots__ = ("decode", "explained", "origin", "overridable", "route", "series")

    def __init__(self, route: Route, decode: Decoder) -> None:
        self.route = route
        self.origin = route.origin
        self.decode = decode
        self.overridable = route.decoder in GUESSING
        self.explained = f"{EXPLAIN_PREFIX}{route.origin.topic}"
        # By metric for the topic's own device, else by (device, metric). Names in it have been checked.
        self.series: dict[str | tuple[str, str], Series] = {}


class Pipeline:
    """The one way into storage; see the head of this file."""

    def __init__(
        self, routes: Routes, store: ReadingSink, broker: Audience, window: TimeWindow = DEFAULT_WINDOW
    ) -> None:
        self.counters = PipelineCounters()
        self._routes = routes
        self._store = store
        self._broker = broker
        self._window = window
        self._decoders: dict[str, Decoder] = {}
        # By how a topic came: directly from a STOMP client, or over a bridge. None: no route takes it.
        self._places: tuple[dict[str, Place | None], dict[str, Place | None]] = ({}, {})
        self.last = LastReadings()
        self.states = DeviceStates()
        self._notes = Notes()  # reused until a message leaves a remark

    def accept(  # noqa: C901, PLR0912 - the hot path: a call of a function costs as much as a reading
        self,
        topic: str,
        body: bytes,
        content_type: str | None,
        now_us: int,
        retained: bool = False,
        bridged: bool = False,
    ) -> asyncio.Future[None] | None:
        """Decode, publish, store one message; `topic` without `/topic/`, `now_us` its receipt in µs since 1970 UTC.

        Return the future of its durability, or None when no telemetry route takes the topic. A `retained` message is old
        state: what it holds without a device time is not stored (device-formats 0.5). `bridged` says that it was an MQTT
        message: see routes.py.
        """
        try:
            place = self._places[bridged][topic]
        except KeyError:
            place = self._learn_topic(topic, bridged)
        broker = self._broker
        explained = broker.listening(EXPLAIN_LEVEL)
        if place is None:
            if explained and broker.wanted(f"{EXPLAIN_PREFIX}{topic}"):
                self._explain(Explanation(topic, bridged, retained))
            return None
        explained = explained and broker.wanted(place.explained)
        self.counters.messages += 1
        decode = place.decode
        if content_type is not None and place.overridable:
            decode = self._decoder_for(content_type, decode)
        notes = self._notes
        try:
            readings = decode(body, place.origin, now_us, notes)
        except PayloadError as error:
            self._notes = Notes()
            if explained:
                self._explain_place(place, bridged, retained, (), notes, (error.reason, error.detail))
            return self._quarantine(place, body, error.reason, error.detail, now_us)
        if retained and notes.untimed:
            readings = [reading for reading in readings if reading.time_us != now_us]
            self.counters.retained_untimed += notes.untimed
            notes.untimed = 0
        known = place.series
        wanted = broker.wanted if broker.listening(FIRST_LEVEL) else _nobody
        device = place.origin.device
        newest_us = now_us + self._window.future_us
        for reading in readings:
            # By position: a name of a NamedTuple costs twice as much.
            series = known.get(reading[1]) if reading[0] == device else None
            if series is None:
                series = self._learn_series(place, reading, notes)
                if series is None:
                    continue
            if not OLDEST_US <= reading[2] <= newest_us:
                notes.fault("clock", f"{reading.metric!r}: {self._window.fault(reading.time_us, now_us)}")
                continue
            last = series.last
            if last is None or reading[2] >= last[2]:
                series.last = reading
            if wanted(series.destination):
                self._publish(series, reading)
        if explained:
            self._explain_place(place, bridged, retained, readings, notes, ("", ""))
        if notes.dirty:
            return self._finish_with_notes(place, body, readings, notes, now_us)
        if not readings:
            return self._nothing()
        self.counters.readings += len(readings)
        return self._store.write(readings, len(body))

    def _finish_with_notes(
        self, place: Place, body: bytes, readings: list[Reading], notes: Notes, now_us: int
    ) -> asyncio.Future[None]:
        """Store what is good; quarantine the payload as well if a part of it ought to have been a reading."""
        self._notes = Notes()
        self.counters.add(notes)
        self._show_transient(place, notes, now_us)
        stored = self._store_states(notes)
        self._send_commands(notes)
        good = readings
        if notes.faults or notes.historical:
            newest_us = self._window.newest_us(now_us)
            good = [
                reading
                for reading in (*readings, *notes.historical)
                if OLDEST_US <= reading.time_us <= newest_us
                and not name_fault(reading.metric)
                and not name_fault(reading.device)
            ]
            if len(good) < len(readings) + len(notes.historical) and not notes.faults:
                notes.fault("clock", "a historical reading has a time or a name that cannot be stored")
        self.counters.readings += len(good)
        if good:
            stored = self._store.write(good, len(body))
        if notes.faults:
            # After the write: futures resolve in order, so this one stands for both.
            return self._quarantine(place, body, notes.faults[0][0], notes.summary(), now_us)
        return stored if stored is not None else self._nothing()

    def _show_transient(self, place: Place, notes: Notes, now_us: int) -> None:
        for reading in notes.transient:
            series = self._learn_series(place, reading, notes)
            if series is None or self._window.fault(reading.time_us, now_us):
                continue
            if self._broker.wanted(series.destination):
                self._publish(series, reading)

    def _store_states(self, notes: Notes) -> asyncio.Future[None] | None:
        """Publish and store what is new of devices; return the future of the last."""
        stored = None
        for state in notes.states:
            if fault := name_fault(state.device):
                notes.fault("bad_device", f"the name {state.device[:80]!r} {fault}")
            elif self.states.learn(state):
                destination = destination_of(state.device)
                if self._broker.wanted(destination):
                    self._broker.publish(destination, body_of(state), STATE_HEADERS, None)
                stored = self._store.device_state(state)
        return stored

    def _send_commands(self, notes: Notes) -> None:
        for command in notes.commands:
            self.counters.commands += 1
            self._broker.publish(f"/topic/{command.topic}", command.payload, NO_HEADERS, None)

    def _publish(self, series: Series, reading: Reading) -> None:
        late = self._store.observe(reading.device, reading.metric, reading.time_us)
        value = reading.value
        body = series.body(reading.time_us, value, reading.unit, late=late)
        number = value if isinstance(value, float) else None  # what a subscription's dead-band compares
        self._broker.publish(series.destination, body, READING_HEADERS, number)
        self.counters.published += 1

    def _explain(self, explanation: Explanation) -> None:
        self._broker.publish(f"{EXPLAIN_PREFIX}{explanation.topic}", explanation.body(), EXPLAIN_HEADERS, None)

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
        self._explain(
            Explanation(
                origin.topic, bridged, retained, route.name, route.decoder, origin.device, readings, notes, refused
            )
        )

    def _quarantine(self, place: Place, body: bytes, reason: str, detail: str, now_us: int) -> asyncio.Future[None]:
        self.counters.refuse(place.origin.topic, reason)
        return self._store.quarantine(QuarantinedPayload(place.origin.topic, body, reason, now_us, detail))

    def _nothing(self) -> asyncio.Future[None]:
        """Return a future that is done: the payload was understood and holds nothing to keep."""
        self.counters.messages_without_readings += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def _decoder(self, name: str) -> Decoder:
        decode = self._decoders.get(name)
        if decode is None:
            decode = self._decoders[name] = self._routes.decoders[name]()
        return decode

    def _decoder_for(self, content_type: str, by_route: Decoder) -> Decoder:
        """Return the decoder that a content-type names, else the route's: most senders say text/plain to everything."""
        name = MEDIA_TYPES.get(content_type) or MEDIA_TYPES.get(content_type.partition(";")[0].strip().lower())
        return self._decoder(name) if name else by_route

    def _learn_topic(self, topic: str, bridged: bool) -> Place | None:
        route = self._routes.find(topic, bridged=bridged)
        place = None if route is None else Place(route, self._decoder(route.decoder))
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

    def _forget(self) -> None:
        for places in self._places:
            places.clear()
        self.last.clear()


def _nobody(destination: str) -> bool:  # noqa: ARG001 - stands for Audience.wanted
    return False
