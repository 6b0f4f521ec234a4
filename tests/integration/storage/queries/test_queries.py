"""The store's questions on a real Postgres: exact, in pages, bounded, and without holding what they borrowed."""

import asyncio
import time
from pathlib import Path

import pytest

from storage.engine import RawConnection
from storage.errors import DatabaseAwayError, QueryError, QueryTooWideError, UnknownSeriesError
from storage.quarantine import QuarantinedPayload
from storage.queries.bucket_plan import DAY_US, HOUR_US, MINUTE_US
from storage.queries.refused import QuarantineFilter
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store

NOW = time.time_ns() // 1000


async def test_latest_is_by_device_time_of_numbers_and_texts_however_old(store: Store) -> None:
    await store.write(
        [
            Reading("a", "m", NOW, 2.0, "Cel"),
            Reading("a", "m", NOW - 5, 1.0, "Cel"),
            Reading("b", "m", NOW - 400 * DAY_US, 3.0),
            Reading("c", "open", NOW, True),
            Reading("d", "mixed", NOW - 2, 1.0),
            Reading("d", "mixed", NOW - 1, "läuft"),
            Reading("e", "mixed", NOW - 1, 1.0),
            Reading("e", "mixed", NOW - 40 * DAY_US, "steht"),
        ]
    )
    names = [("a", "m"), ("b", "m"), ("c", "open"), ("d", "mixed"), ("e", "mixed"), ("a", "none"), ("none", "m")]

    found = [reading async for reading in store.queries.latest([*names, ("a", "m")])]

    assert sorted(found) == [
        Reading("a", "m", NOW, 2.0, "Cel"),
        Reading("b", "m", NOW - 400 * DAY_US, 3.0),
        Reading("c", "open", NOW, True),
        Reading("d", "mixed", NOW - 1, "läuft"),
        Reading("e", "mixed", NOW - 1, 1.0),
    ]
    assert [reading.value for reading in sorted(found)][2] is True


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_hold_each_reading_of_the_range_once_numbers_and_texts_in_order(
    store: Store, *, newest_first: bool
) -> None:
    numbers = [Reading("d", "m", NOW + 2 * at, float(at)) for at in range(12_000)]
    texts = [Reading("d", "m", NOW + 2 * at + 1, f"t{at}") for at in range(12_000)]
    await store.write(numbers + texts)
    expected = sorted(numbers + texts, key=lambda reading: reading.time_us, reverse=newest_first)[1:-1]

    pages = [page async for page in store.queries.pages("d", "m", NOW + 1, NOW + 23_999, newest_first=newest_first)]

    assert [reading for page in pages for reading in page.readings()] == expected
    assert [len(page.times_us) for page in pages] == [10_000, 10_000, 3_998]


async def test_a_page_goes_on_where_the_one_before_ended_whatever_came_meanwhile(store: Store) -> None:
    await store.write([Reading("d", "m", NOW + at, True) for at in (0, 2, 4)])
    first = await store.queries.page("d", "m", NOW, NOW + 10, rows=2)
    await store.write([Reading("d", "m", NOW + at, False) for at in (1, 3, 5)])
    assert first.next_us is not None
    second = await store.queries.page("d", "m", first.next_us, NOW + 10)

    assert [NOW, NOW + 2] == list(first.times_us)
    assert [NOW + 3, NOW + 4, NOW + 5] == list(second.times_us)
    assert [False, True, False] == list(second.values)
    assert second.next_us is None


async def test_buckets_come_for_each_known_series_in_the_order_asked_for(store: Store) -> None:
    minute = NOW // MINUTE_US * MINUTE_US - 10 * MINUTE_US
    await store.write([Reading(name, "m", minute + at, float(at)) for name in ("x", "y", "z") for at in range(4)])
    names = [("z", "m"), ("none", "m"), ("x", "m")]

    found = [one async for one in store.queries.buckets(names, minute, NOW, width_us=MINUTE_US)]

    assert [("z", 4), ("x", 4)] == [(one.series.device, one.buckets()[0].count) for one in found]
    (bucket,) = found[0].buckets()
    assert (minute, 0.0, 3.0, 1.5, 0.0, 3.0) == (
        bucket.time_us,
        bucket.min,
        bucket.max,
        bucket.avg,
        bucket.first,
        bucket.last,
    )
    narrow = [one async for one in store.queries.buckets([("z", "m")], minute, minute + 2, max_points=10)]
    assert [2] == [bucket.count for bucket in narrow[0].buckets()]


async def test_devices_metrics_and_series_are_found_by_a_part_of_their_name(store: Store) -> None:
    await store.write(
        [Reading(f"press-{at:04d}", "Temperature", NOW, 1.0, "Cel") for at in range(1_500)]
        + [Reading("oven%", metric, NOW, "on") for metric in ("state", "mode_x")]
    )
    devices = [device async for device in store.queries.devices()]
    assert [device.name for device in devices] == sorted(["oven%", *(f"press-{at:04d}" for at in range(1_500))])
    assert devices[0].series == 2
    assert [device.name async for device in store.queries.devices("SS-149", after="press-1497")] == [
        "press-1498",
        "press-1499",
    ]
    assert [device.name async for device in store.queries.devices("%")] == ["oven%"]
    metrics = [metric async for metric in store.queries.metrics("TEMP")]
    assert [("Temperature", 1_500, ("Cel",))] == [tuple(metric) for metric in metrics]
    series = [(one.metric, one.kind) async for one in store.queries.series("oven%")]
    assert [("mode_x", "text"), ("state", "text")] == series


async def test_quarantine_is_listed_newest_first_and_filtered(store: Store, sql: RawConnection) -> None:
    for at in range(250):
        reason = "decode" if at % 2 else "clock"
        await_all = store.quarantine(QuarantinedPayload(f"devices/{at % 5}", b"{", reason, NOW + at // 2, "why"))
    await await_all

    everything = [one async for one in store.queries.quarantined()]
    assert len({one.id for one in everything}) == 250
    assert [one.item.received_us for one in everything] == sorted(
        (one.item.received_us for one in everything), reverse=True
    )
    chosen = QuarantineFilter(reason="clock", topic="devices/3", from_us=NOW + 10, to_us=NOW + 100)
    some = [one async for one in store.queries.quarantined(chosen)]
    assert {("clock", "devices/3")} == {(one.item.reason, one.item.topic) for one in some}
    assert all(NOW + 10 <= one.item.received_us < NOW + 100 for one in some)
    assert all(one.id == one.item.identity for one in some)


async def test_questions_that_are_too_wide_or_make_no_sense_are_refused(store: Store) -> None:
    await store.write([Reading("d", "m", NOW, 1.0)])
    queries = store.queries
    with pytest.raises(QueryTooWideError, match=r"21,000 series, at most 20,000"):
        _ = [one async for one in queries.latest([("d", "m")] * 21_000)]
    with pytest.raises(QueryTooWideError, match="use a width of"):
        _ = [one async for one in queries.buckets([("d", "m")] * 200, NOW - 300 * DAY_US, NOW, width_us=MINUTE_US)]
    with pytest.raises(QueryTooWideError, match="smaller pages"):
        await queries.page("d", "m", 0, NOW, rows=10**6)
    with pytest.raises(QueryError, match="begin must be before"):
        await queries.page("d", "m", NOW, NOW)
    with pytest.raises(UnknownSeriesError, match="'nobody'"):
        await queries.page("nobody", "m", 0, NOW)


async def test_a_caller_may_stop_at_any_time_and_no_connection_is_lost(store: Store, sql: RawConnection) -> None:
    await store.write([Reading(f"d{at}", "m", NOW - HOUR_US, 1.0) for at in range(3_000)])
    names = [(f"d{at}", "m") for at in range(3_000)]
    backends = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'telemetry-hub'"
    async for _ in store.queries.latest(names):
        break
    before = await sql.fetchval(backends)
    for _ in range(20):
        async for _reading in store.queries.latest(names):
            break
        async for _buckets in store.queries.buckets(names[:600], NOW - 2 * HOUR_US, NOW, max_points=3):
            break
        async for _device in store.queries.devices():
            break

    assert set(before) <= set(await sql.fetchval(backends))


async def test_without_a_database_questions_fail_at_once(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/none?host={tmp_path}"
    store = Store(StorageSettings(database_url=url), tmp_path / "hub")
    await store.start()
    with pytest.raises(DatabaseAwayError, match="the database is away"):
        await store.queries.page("d", "m", 0, NOW)
    await store.close()


async def test_connections_that_died_while_they_were_idle_cost_no_question(store: Store, sql: RawConnection) -> None:
    await store.write([Reading(f"d{at}", "m", NOW, 1.0) for at in range(50)])
    names = [(f"d{at}", "m") for at in range(50)]

    async def ask() -> int:
        return len([one async for one in store.queries.latest(names)])

    assert [50] * 5 == await asyncio.gather(*(ask() for _ in range(5)))  # as many connections as there may be
    ended = await sql.fetchval(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE application_name = 'telemetry-hub' AND datname = current_database()"
    )

    assert ended >= 5
    assert [50] * 5 == await asyncio.gather(*(ask() for _ in range(5)))
