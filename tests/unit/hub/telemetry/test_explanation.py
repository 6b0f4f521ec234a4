"""What those who watch a topic are told of each message that arrives on it."""

from typing import Any

import orjson

from tests.support.telemetry import Bench

TOPIC = "devices/press-7/telemetry"


def heard(bench: Bench) -> list[dict[str, Any]]:
    return [orjson.loads(body) for destination, body in bench.broker.published if "$SYS/explain" in destination]


async def test_nobody_watching_costs_nothing() -> None:
    bench = Bench("/topic/#")
    bench.accept('{"a":1}')

    assert heard(bench) == []


async def test_readings_are_told_with_route_and_decoder() -> None:
    bench = Bench("/topic/$SYS/explain/devices/#")
    bench.accept('{"ts":1795190400000,"a":1,"b":null}')

    (told,) = heard(bench)
    assert told["outcome"] == "readings"
    assert (told["topic"], told["route"], told["decoder"], told["device"]) == (
        TOPIC,
        "devices/+/telemetry",
        "json",
        "press-7",
    )
    assert told["readings"] == [{"device": "press-7", "metric": "a", "t": "2026-11-20T16:00:00.000Z", "v": 1.0}]
    assert told["skipped"] == {"no_value": 1}


async def test_a_refusal_is_told_with_its_reason() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept("{")

    (told,) = heard(bench)
    assert (told["outcome"], told["reason"]) == ("quarantine", "not_json")


async def test_a_fault_of_one_key_is_told_beside_the_good_ones() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept('{"time":"2030-01-01T00:00:00Z","a":1}')

    (told,) = heard(bench)
    assert told["outcome"] == "quarantine"
    assert [reason for reason, _ in told["faults"]] == ["clock"]
    assert told["readings"] == []


async def test_only_what_is_stored_is_told_as_a_reading() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept('{"a\\u0007":1,"b":2}')

    (told,) = heard(bench)
    assert [reading["metric"] for reading in told["readings"]] == ["b"]


async def test_a_state_of_a_device_that_has_no_good_name_is_told_as_quarantine() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept("online", f"{'x' * 300}/status")

    (told,) = heard(bench)
    assert (told["outcome"], [reason for reason, _ in told["faults"]]) == ("quarantine", ["bad_device"])


async def test_old_state_without_a_time_is_told_as_such() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept('[{"ts":1763654400,"a":1},{"a":2},{"b":2}]', retained=True)

    (told,) = heard(bench)
    assert (told["outcome"], told["old_state"], len(told["readings"])) == ("readings", 2, 1)


async def test_a_topic_without_a_route_is_told_as_such() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept("1", topic="chat/room", bridged=False)

    (told,) = heard(bench)
    assert (told["outcome"], told["topic"]) == ("no route", "chat/room")


async def test_a_message_that_holds_nothing_is_told() -> None:
    bench = Bench("/topic/$SYS/explain/#")
    bench.accept("{}")

    assert [told["outcome"] for told in heard(bench)] == ["nothing"]
