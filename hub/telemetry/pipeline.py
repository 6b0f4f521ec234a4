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

from hub.stomp.frames import UserHeaders
from hub.telemetry.counters import PipelineCounters
from hub.telemetry.decoders import DECODERS, MEDIA_TYPES, Decoder
from hub.telemetry.errors import PayloadError
from hub.telemetry.last_readings import READING_HEADERS, LastReadings
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from hub.telemetry.readings_topic import FIRST_LEVEL, Series
from hub.telemetry.routes import Routes
from hub.telemetry.validation import OLDEST_US, TimeWindow, name_fault
from storage.quarantine import QuarantinedPayload
from storage.reading import Reading

MAX_PLACES: Final = 50_000  # topics remembered: about 400 bytes each
DEFAULT_WINDOW: Final = TimeWindow()


class ReadingSink(Protocol):
    """The part of the store that the pipeline needs.

    `write` and `quarantine` return at once with the future of the batch they rest in; futures resolve after commit, in
    the order of the calls. `extra_bytes` is the memory that texts hold; the size of the payload stands for it. `observe`
    tells whether a time is behind one already seen for the series.
    """

    def write(self, readings: Sequence[Reading], extra_bytes: int, /) -> asyncio.Future[None]: ...
    def quarantine(self, item: QuarantinedPayload, /) -> asyncio.Future[None]: ...
    def observe(self, device: str, metric: str, time_us: int, /) -> bool: ...


class Audience(Protocol):
    """The part of the broker that the pipeline needs."""

    def listening(self, first_level: str) -> bool: ...
    def wanted(self, destination: str) -> bool: ...
    def publish(self, destination: str, body: bytes, headers: UserHeaders, value: float | None, /) -> int: ...


class Place:
    """What is known about one telemetry topic."""

    __slots__ = ("decode", "origin", "series")

    def __init__(self, origin: Origin, decode: Decoder) -> None:
        self.origin = origin
        self.decode = decode
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
        self._places: dict[str, Place | None] = {}  # None: no route takes this topic
        self.last = LastReadings()
        self._notes = Notes()  # reused until a message leaves a remark

    def accept(
        self, topic: str, body: bytes, content_type: str | None, now_us: int, retained: bool = False
    ) -> asyncio.Future[None] | None:
        """Decode, publish, store one message; `topic` without `/topic/`, `now_us` its receipt in µs since 1970 UTC.

        Return the future of its durability, or None when no telemetry route takes the topic. A `retained` message is old
        state: what it holds without a device time is not stored (device-formats 0.5).
        """
        try:
            place = self._places[topic]
        except KeyError:
            place = self._learn_topic(topic)
        if place is None:
            return None
        self.counters.messages += 1
        decode = place.decode if content_type is None else _decoder_for(content_type, place.decode)
        notes = self._notes
        try:
            readings = decode(body, place.origin, now_us, notes)
        except PayloadError as error:
            self._notes = Notes()
            return self._quarantine(place, body, error.reason, error.detail, now_us)
        if retained and notes.untimed:
            readings = [reading for reading in readings if reading.time_us != now_us]
            self.counters.retained_untimed += notes.untimed
            notes.untimed = 0
        known = place.series
        broker = self._broker
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
        if not notes.faults:
            good = readings
        else:
            newest_us = self._window.newest_us(now_us)
            good = [
                reading
                for reading in readings
                if OLDEST_US <= reading.time_us <= newest_us
                and not name_fault(reading.metric)
                and not name_fault(reading.device)
            ]
        self.counters.readings += len(good)
        stored = self._store.write(good, len(body)) if good else None
        if notes.faults:
            # After the write: futures resolve in order, so this one stands for both.
            return self._quarantine(place, body, notes.faults[0][0], notes.summary(), now_us)
        return stored if stored is not None else self._nothing()

    def _publish(self, series: Series, reading: Reading) -> None:
        late = self._store.observe(reading.device, reading.metric, reading.time_us)
        value = reading.value
        body = series.body(reading.time_us, value, reading.unit, late=late)
        number = value if isinstance(value, float) else None  # what a subscription's dead-band compares
        self._broker.publish(series.destination, body, READING_HEADERS, number)
        self.counters.published += 1

    def _quarantine(self, place: Place, body: bytes, reason: str, detail: str, now_us: int) -> asyncio.Future[None]:
        self.counters.refuse(reason)
        return self._store.quarantine(QuarantinedPayload(place.origin.topic, body, reason, now_us, detail))

    def _nothing(self) -> asyncio.Future[None]:
        """Return a future that is done: the payload was understood and holds nothing to keep."""
        self.counters.messages_without_readings += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future

    def _learn_topic(self, topic: str) -> Place | None:
        route = self._routes.find(topic)
        place = None if route is None else Place(route.origin(topic), DECODERS[route.decoder])
        if len(self._places) >= MAX_PLACES:
            self._forget()
        self._places[topic] = place
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
        self._places.clear()
        self.last.clear()


def _nobody(destination: str) -> bool:  # noqa: ARG001 - stands for Audience.wanted
    return False


def _decoder_for(content_type: str, by_route: Decoder) -> Decoder:
    """Return the decoder that a content-type names, else the route's: most senders say text/plain to everything."""
    name = MEDIA_TYPES.get(content_type) or MEDIA_TYPES.get(content_type.partition(";")[0].strip().lower())
    return DECODERS[name] if name else by_route
