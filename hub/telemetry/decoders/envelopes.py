"""What clouds and gateways wrap around a record, known by its keys: who measured, when, and where the values are.

    {"specversion":"1.0","source":…,"subject":…,"time":…,"data":{…}}                     CloudEvents
    {"state":{"reported":{…}},"metadata":…,"timestamp":…}                                AWS IoT shadow, also as `current`
    {"propertyAlias":…,"propertyValues":[{"value":{"doubleValue":…},"timestamp":{…}}]}   AWS IoT SiteWise
    {"systemProperties":{"iothub-connection-device-id":…},"enqueuedTime":…,"body":{…}}   Azure IoT Hub, routed
    {"deviceId":…,"enqueuedTime":…,"telemetry":{…}}                                      Azure IoT Central
    {"MessageType":"ua-data","Messages":[{"Payload":{name:{"Value":…,"SourceTimestamp":…}}}]}   OPC UA PubSub
    {"NodeId":…,"Value":{"Value":…,"SourceTimestamp":…}}                                 OPC Publisher, samples
    {"timestamp":…,"values":[{"id":…,"v":…,"q":…,"t":…}]}                                OPC gateways such as Kepware's

Each row of OPENERS looks for keys that together belong to nobody else, and hands over the points; a record that none of
them knows is plain JSON. Not here: the values (leaves), times (clock).
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes, PayloadError
from hub.telemetry.origin import Origin

Record: TypeAlias = dict[str, JsonValue]

_OWN_TIME: Final = frozenset({"ts", "time", "timestamp", "Timestamp", "Time"})
_STATES: Final = frozenset({"reported", "desired", "delta"})
_SHADOW: Final = frozenset({"state", "metadata", "version", "timestamp", "clientToken"})
_IOT_CENTRAL: Final = _OWN_TIME | {
    *("applicationId", "component", "deviceId", "enqueuedTime", "enrichments", "messageProperties", "messageSource"),
    *("messageType", "module", "schema", "telemetry", "templateId"),
}


class Point(NamedTuple):
    """One thing that an envelope holds: a value under `name`, or an object of values, which may say the time itself."""

    content: JsonValue
    time: JsonValue = None
    time_key: str = ""
    name: str = ""
    device: str = ""
    unit: str = ""


def opened(record: Record, origin: Origin, notes: Notes) -> list[Point] | None:
    """Return what an envelope holds, None for a record that is not one. Raises PayloadError `device_mismatch`."""
    if _MARKS.isdisjoint(record):
        return None
    for keys, opener in OPENERS:
        if keys <= record.keys() and (found := opener(record, notes)) is not None:
            points = list(found)
            for point in points:
                if point.device and point.device != origin.device and not origin.gateway:
                    detail = f"the payload names {point.device[:80]!r}, the topic {origin.device[:80]!r}"
                    raise PayloadError("device_mismatch", detail)
            return points or None
    return None


def _cloud_event(record: Record, _notes: Notes) -> Iterator[Point] | None:
    data = record.get("data")
    if not isinstance(data, dict):
        return None
    return iter([Point(data, record.get("time"), "time", device=_text(record, "subject"))])


def _shadow(record: Record, notes: Notes) -> Iterator[Point] | None:
    state = record["state"]
    if not isinstance(state, dict) or not state or not state.keys() <= _STATES or not record.keys() <= _SHADOW:
        return None
    reported = state.get("reported")
    if "desired" in state or "delta" in state:
        notes.skip("target")
    return iter([Point(reported if isinstance(reported, dict) else {}, record.get("timestamp"), "timestamp")])


def _shadow_documents(record: Record, notes: Notes) -> Iterator[Point] | None:
    current = record["current"]
    if not isinstance(current, dict) or not isinstance(current.get("state"), dict):
        return None
    inner = {key: value for key, value in current.items() if key in _SHADOW}
    return _shadow({**inner, "timestamp": record.get("timestamp")}, notes)


def _site_wise(record: Record, notes: Notes) -> Iterator[Point] | None:
    values = record["propertyValues"]
    name = _text(record, "propertyAlias") or _text(record, "propertyId")
    if not isinstance(values, list) or not name:
        return None
    return (point for item in values if (point := _site_wise_point(item, name, notes)) is not None)


def _site_wise_point(item: JsonValue, name: str, notes: Notes) -> Point | None:
    value = item.get("value") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(value, dict):
        notes.fault("not_a_record", f"{name[:80]!r} holds what is no value")
        return None
    held = next((held for key, held in value.items() if key.endswith("Value")), None)
    stamp = item.get("timestamp")
    seconds = stamp.get("timeInSeconds") if isinstance(stamp, dict) else stamp
    nanoseconds = stamp.get("offsetInNanos") if isinstance(stamp, dict) else None
    if isinstance(seconds, int) and isinstance(nanoseconds, int):
        seconds = seconds * 1_000_000 + nanoseconds // 1_000
    _note_quality(item.get("quality"), notes)
    return Point(held, seconds, "timestamp", name=name.strip("/"))


def _iot_hub(record: Record, _notes: Notes) -> Iterator[Point] | None:
    system = record["systemProperties"]
    body = record["body"]
    if not isinstance(system, dict) or not isinstance(body, dict):
        return None
    return iter([_timed_inside(body, record, "enqueuedTime", _text(system, "iothub-connection-device-id"))])


def _iot_central(record: Record, _notes: Notes) -> Iterator[Point] | None:
    telemetry = record["telemetry"]
    if not isinstance(telemetry, dict) or not record.keys() <= _IOT_CENTRAL:
        return None
    return iter([_timed_inside(telemetry, record, "enqueuedTime", _text(record, "deviceId"))])


def _timed_inside(content: Record, around: Record, key: str, device: str) -> Point:
    """The device's own time is in the content, if it sends one; the cloud's is that of its receipt there."""
    if not _OWN_TIME.isdisjoint(content):
        return Point(content, device=device)
    key = next((name for name in (key, *sorted(_OWN_TIME)) if name in around), key)
    return Point(content, around.get(key), key, device=device)


def _opc_ua(record: Record, notes: Notes) -> Iterator[Point] | None:
    messages = record["Messages"]
    if not isinstance(messages, list):
        return None
    device = _text(record, "PublisherId")

    def points() -> Iterator[Point]:
        for message in messages:
            payload = message.get("Payload") if isinstance(message, dict) else None
            if not isinstance(message, dict) or not isinstance(payload, dict):
                notes.fault("not_a_record", "a message of OPC UA has no payload")
                continue
            for name, held in payload.items():
                yield _opc_value(name, held, message.get("Timestamp"), notes)._replace(device=device)

    return points()


def _opc_sample(record: Record, notes: Notes) -> Iterator[Point] | None:
    name = _text(record, "DisplayName") or _text(record, "NodeId")
    return iter([_opc_value(name, record["Value"], record.get("Timestamp"), notes)]) if name else None


def _opc_value(name: str, held: JsonValue, time: JsonValue, notes: Notes) -> Point:
    if not isinstance(held, dict) or not ("Value" in held or "value" in held):
        return Point(held, time, "Timestamp", name=name)
    stamp = held.get("SourceTimestamp", held.get("sourceTimestamp", time))
    _note_quality(held.get("StatusCode", held.get("statusCode")), notes)
    return Point(held.get("Value", held.get("value")), stamp, "SourceTimestamp", name=name)


def _opc_gateway(record: Record, notes: Notes) -> Iterator[Point] | None:
    values = record["values"]
    if not isinstance(values, list) or not any(
        isinstance(item, dict) and {"id", "v"} <= item.keys() for item in values
    ):
        return None
    return (point for place, item in enumerate(values) if (point := _tag(place, item, record, notes)) is not None)


def _tag(place: int, item: JsonValue, record: Record, notes: Notes) -> Point | None:
    name = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(name, str) or "v" not in item:
        notes.fault("not_a_record", f"values[{place}] is no object with id and v")
        return None
    _note_quality(item.get("q"), notes)
    return Point(item["v"], item.get("t", record.get("timestamp")), "t", name=name)


def _note_quality(quality: JsonValue, notes: Notes) -> None:
    """Note a value whose source doubts it; it is kept, as the source sent it."""
    match quality:
        case bool():
            bad = not quality
        case int():
            bad = quality >= 0x80000000  # OPC UA's status codes begin with two bits for the severity
        case str():
            bad = quality.upper().startswith("BAD")
        case dict():
            symbol = quality.get("Symbol")
            bad = isinstance(symbol, str) and symbol.startswith("Bad")
        case _:
            bad = False
    if bad:
        notes.skip("quality_bad")


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


_Opener: TypeAlias = Callable[[Record, Notes], Iterator[Point] | None]
OPENERS: Final[tuple[tuple[frozenset[str], _Opener], ...]] = (
    (frozenset({"values"}), _opc_gateway),
    (frozenset({"specversion", "data"}), _cloud_event),
    (frozenset({"state"}), _shadow),
    (frozenset({"current", "timestamp"}), _shadow_documents),
    (frozenset({"propertyValues"}), _site_wise),
    (frozenset({"body", "systemProperties"}), _iot_hub),
    (frozenset({"telemetry", "deviceId"}), _iot_central),
    (frozenset({"Messages", "MessageType"}), _opc_ua),
    (frozenset({"NodeId", "Value"}), _opc_sample),
)
_MARKS: Final = frozenset(
    {"values", "data", "state", "current", "propertyValues", "body", "telemetry", "Messages", "Value"}
)
"""Every envelope has one of these; most records have none."""
