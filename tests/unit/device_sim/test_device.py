"""A device's messages: identity, time, payload."""

from itertools import pairwise

import orjson

from device_sim.device import METRICS, Device

START_US = 1_795_190_400_000_000


def test_name_and_topic_come_from_the_number() -> None:
    device = Device(42, 0, "devices/{device}/telemetry")

    assert (device.name, device.topic) == ("sim-00042", "devices/sim-00042/telemetry")


def test_payload_is_plain_json_with_ms_and_every_metric() -> None:
    message = Device(1, 0, "{device}").message(0, START_US, 0.0)
    payload = orjson.loads(message.payload)

    assert payload["ts"] == START_US // 1_000
    assert tuple(payload)[1:] == METRICS == message.metrics
    assert all(isinstance(payload[metric], float) for metric in METRICS)


def test_times_grow_strictly_even_when_asked_within_one_millisecond() -> None:
    device = Device(1, 0, "{device}")
    times = [device.message(n, START_US + n * 100, 0.0).time_us for n in range(50)]

    assert all(later - earlier >= 1_000 for earlier, later in pairwise(times))


def test_devices_differ_and_each_repeats_itself_for_its_seed() -> None:
    def payloads(number: int, seed: int) -> list[bytes]:
        device = Device(number, seed, "{device}")
        return [device.message(n, START_US + n * 1_000_000, n).payload for n in range(20)]

    assert payloads(1, 9) == payloads(1, 9)
    assert payloads(1, 9) != payloads(2, 9)
    assert payloads(1, 9) != payloads(1, 10)
