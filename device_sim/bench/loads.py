"""The standard loads: scenarios, each with what is to be read from it. Data only.

They are paced, not as fast as possible: one Python process shows its own limit long before the hub's, so what is compared
is what a fixed load costs the server (CPU a delivery, latency, what arrived), which is steady and fair at any speed.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from device_sim.scenario.model import DashboardClass, DeviceClass, Scenario

BenchName = Literal["fanout", "ingest", "pipeline", "connections"]
SENSORS: Final = {
    "temperature": {"kind": "temperature"},
    "humidity": {"kind": "humidity"},
    "pressure": {"kind": "pressure"},
}
PLAIN_TOPIC: Final = "device-sim.{device}"  # one level: RabbitMQ's topics are written with dots
FIRST_DEVICE: Final = "bench-00000"


class Load(NamedTuple):
    """One row of a table."""

    name: str
    scenario: Scenario
    per: Literal["delivery", "message", "connection"]
    """What the server's CPU time, or its memory, is divided by."""


def fanout(seconds: float, topic: str) -> list[Load]:
    """One publisher on one topic, more and more subscribers."""
    rows = ((1, 1_000), (10, 1_000), (100, 200), (500, 50))
    return [
        Load(
            f"{subscribers} subscribers, {rate} messages/s",
            _scenario(
                "fanout",
                seconds,
                [_devices(1, rate, "stomp-ws", topic or PLAIN_TOPIC)],
                DashboardClass(name="bench", count=subscribers, destinations=(_destination(topic or PLAIN_TOPIC),)),
            ),
            "delivery",
        )
        for subscribers, rate in rows
    ]


def ingest(seconds: float, topic: str) -> list[Load]:
    """Devices on connections of their own, one receipt for whatever is sent together."""
    return [
        Load(
            f"{devices} devices, {devices * rate:,} messages/s with receipts",
            _scenario("ingest", seconds, [_devices(devices, rate, "stomp-ws", topic or "devices/{device}/telemetry")]),
            "message",
        )
        for devices, rate in ((100, 10), (20, 200))
    ]


def pipeline(seconds: float, topic: str) -> list[Load]:
    """Devices over MQTT, broker and bridge, watched by dashboards."""
    return [
        Load(
            f"500 devices, 1,000 messages/s over MQTT, {dashboards} dashboards",
            _scenario(
                "pipeline",
                seconds,
                [_devices(500, 2, "mqtt", topic or "devices/{device}/telemetry")],
                *([DashboardClass(name="bench", count=dashboards)] if dashboards else []),
            ),
            "message",
        )
        for dashboards in (0, 10)
    ]


def connections(seconds: float, topic: str) -> list[Load]:
    """Dashboards that are connected and have nothing to see."""
    return [
        Load(
            f"{count:,} idle subscribers",
            _scenario(
                "connections",
                seconds,
                [_devices(1, 1, "stomp-ws", topic or PLAIN_TOPIC)],
                DashboardClass(name="bench", count=count, destinations=(f"{_destination(topic or PLAIN_TOPIC)}.idle",)),
            ),
            "connection",
        )
        for count in (1_000,)
    ]


BENCHES: Final[Mapping[BenchName, Callable[[float, str], list[Load]]]] = {
    "fanout": fanout,
    "ingest": ingest,
    "pipeline": pipeline,
    "connections": connections,
}


def _destination(topic: str) -> str:
    """Return where the messages of the first device are seen."""
    return "/topic/" + topic.replace("{device}", FIRST_DEVICE)


def _scenario(name: str, seconds: float, classes: list[DeviceClass], *dashboards: DashboardClass) -> Scenario:
    return Scenario(name=f"bench-{name}", duration=seconds, classes=tuple(classes), dashboards=dashboards)


def _devices(count: int, rate: float, link: Literal["mqtt", "stomp-ws"], topic: str) -> DeviceClass:
    bench = {"name": "bench", "count": count, "rate": rate, "link": link, "topic": topic, "sensors": SENSORS}
    # Whether it is stored is not checked: a load is no proof.
    return DeviceClass.model_validate(bench | {"stored_as": "{device}"})
