"""The audit on a real Postgres, filled by the hub's own store: what is right passes, each seeded violation is found."""

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from device_sim.errors import BadArgumentError
from device_sim.ledger.writer import Acknowledgement, LedgerWriter
from device_sim.message import Message, Value
from device_sim.verify import Verdict
from device_sim.verify.database import check_database, verify
from storage.engine import RawConnection
from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.ledger_world import Row, Send, naive_verdict

START_US = 1_795_190_400_000_000
METRICS = ("temperature", "humidity", "door", "state")
VALUES: tuple[Value, ...] = (21.5, 40, True, "on")
NONE, PUBACK, RECEIPT = Acknowledgement
FEW = 200


def message(
    number: int, device: str = "sim-00000", *, values: tuple[Value, ...] = VALUES, timed: bool = True
) -> Message:
    return Message(number, 0, device, METRICS, START_US + number * 1_000, number / 1e3, "t", b"", values, timed)


def readings_of(messages: Sequence[Message], *, later_us: int = 0) -> list[Reading]:
    return [
        Reading(of.device, metric, of.time_us + later_us, value)
        for of in messages
        for metric, value in zip(METRICS, of.values, strict=True)
    ]


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(StorageSettings(database_url=database_url), tmp_path)
    await store.start()
    yield store
    await store.close()


WriteLedger = Callable[..., Path]


@pytest.fixture
def write_ledger(tmp_path: Path) -> WriteLedger:
    """Write a ledger of some messages, all acknowledged but those that are named."""

    def write(
        messages: Sequence[Message],
        *,
        pending: Sequence[Message] = (),
        by: Acknowledgement = PUBACK,
        name: str = "ledger",
        start_us: int = START_US,
    ) -> Path:
        with LedgerWriter(tmp_path / name, lambda: start_us + 1_000_000) as ledger:
            ledger.begin(start_us)
            ledger.sent([*messages, *pending])
            ledger.acknowledged(messages, by)
        return tmp_path / name

    return write


SENT = [message(2 * turn + number, device) for turn in range(25) for number, device in enumerate(("sim-0", "sim-1"))]
RIGHT = Verdict(FEW, FEW, FEW, duplicates=0, lost=0)


async def test_everything_stored_passes_numbers_truth_values_and_texts(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    await store.write(readings_of(SENT))
    await store.write(readings_of(SENT))

    assert await verify([write_ledger(SENT)], database_url) == RIGHT


async def test_several_ledgers_are_one_run(store: Store, database_url: str, write_ledger: WriteLedger) -> None:
    await store.write(readings_of(SENT))
    ledgers = [write_ledger(SENT[:30], name="first"), write_ledger(SENT[30:], name="second")]

    assert await verify(ledgers, database_url) == RIGHT


async def test_rows_of_other_devices_and_of_other_times_do_not_count(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    await store.write(readings_of([*SENT, message(7, "another"), message(1_000, "sim-0")]))

    assert await verify([write_ledger(SENT)], database_url) == RIGHT


async def test_each_missing_row_is_a_loss_with_an_example(
    store: Store, database_url: str, sql: RawConnection, write_ledger: WriteLedger
) -> None:
    await store.write(readings_of(SENT))
    await sql.execute("DELETE FROM readings WHERE (series_id, ts) = (SELECT series_id, ts FROM readings LIMIT 1)")
    await sql.execute("DELETE FROM readings_text WHERE ts = (SELECT min(ts) FROM readings_text)")

    verdict = await verify([write_ledger(SENT, by=RECEIPT)], database_url)

    assert verdict == Verdict(FEW, FEW, FEW - 2, duplicates=0, lost=2, lost_after_receipt=2)
    text = next(example for example in verdict.examples if example.metric == "state")
    assert str(text) == "lost: sim-0 state 2026-11-20T16:00:00.000000Z, sent on"


async def test_a_row_with_another_time_is_a_loss_and_a_phantom(
    store: Store, database_url: str, sql: RawConnection, write_ledger: WriteLedger
) -> None:
    await store.write(readings_of(SENT))
    await sql.execute(
        "UPDATE readings SET ts = ts + interval '1 microsecond' "
        "WHERE (series_id, ts) = (SELECT series_id, ts FROM readings ORDER BY ts LIMIT 1)"
    )

    verdict = await verify([write_ledger(SENT)], database_url)

    assert (verdict.lost, verdict.phantom) == (1, 1)


@pytest.mark.parametrize("metric", ["temperature", "never sent"])
async def test_a_row_that_nobody_sent_is_a_phantom_also_of_another_metric(
    store: Store, database_url: str, write_ledger: WriteLedger, metric: str
) -> None:
    await store.write([*readings_of(SENT), Reading("sim-1", metric, START_US + 1_001, 5.0)])

    verdict = await verify([write_ledger(SENT)], database_url)

    assert verdict == Verdict(FEW, FEW, FEW, duplicates=0, lost=0, phantom=1)
    assert str(verdict.examples[0]) == f"phantom: sim-1 {metric} 2026-11-20T16:00:00.001001Z, stored 5"


async def test_a_message_from_which_nothing_may_be_stored_has_only_phantoms(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    malformed = Message(0, 0, "sim-0", (), START_US, 0.0, "t", b"{")
    await store.write([Reading("sim-0", "temperature", START_US, 5.0)])

    assert await verify([write_ledger([malformed])], database_url) == Verdict(0, 0, 0, 0, 0, phantom=1)


@pytest.mark.parametrize(
    ("table", "change"), [("readings", "value = value + 1e-13"), ("readings_text", "value = value || ' '")]
)
async def test_a_value_that_differs_in_its_last_digit_is_altered(
    store: Store, database_url: str, sql: RawConnection, write_ledger: WriteLedger, table: str, change: str
) -> None:
    await store.write(readings_of(SENT))
    await sql.execute(
        f"UPDATE {table} SET {change} WHERE (series_id, ts) = "
        f"(SELECT series_id, ts FROM {table} ORDER BY ts, series_id LIMIT 1)"
    )

    verdict = await verify([write_ledger(SENT)], database_url)

    assert verdict == Verdict(FEW, FEW, FEW, duplicates=0, lost=0, altered=1)
    assert verdict.examples[0].finding == "altered"
    assert verdict.examples[0].stored != verdict.examples[0].sent


async def test_a_device_that_the_database_never_saw_is_lost_whole(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    await store.write(readings_of(SENT))

    assert (await verify([write_ledger([*SENT, message(50, "never-seen")])], database_url)).lost == len(METRICS)


async def test_a_reading_that_rests_in_two_tables_is_a_duplicate(
    store: Store, database_url: str, sql: RawConnection, write_ledger: WriteLedger
) -> None:
    """The primary keys forbid a second row in one table; the audit does not take them at their word."""
    await store.write(readings_of(SENT))
    await sql.execute(
        "INSERT INTO readings (series_id, ts, value) SELECT series_id, ts, 0 FROM readings_text ORDER BY ts LIMIT 2"
    )

    assert await verify([write_ledger(SENT)], database_url) == Verdict(FEW, FEW, FEW, duplicates=2, lost=0, altered=2)


async def test_what_was_not_acknowledged_may_be_missing_or_there(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    pending = [message(50, "sim-0"), message(51, "sim-1")]
    await store.write(readings_of([*SENT, pending[0]]))
    published = FEW + 2 * len(METRICS)

    verdict = await verify([write_ledger(SENT, pending=pending)], database_url)

    assert verdict == Verdict(published, FEW, FEW, 0, 0, stored_unacknowledged=len(METRICS))


async def test_a_reading_sent_twice_is_stored_once_and_the_first_value_wins(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    again = message(0)._replace(number=1)
    other = message(0, values=(99.0, 40, True, "off"))._replace(number=2)
    await store.write(readings_of([message(0)]))

    verdict = await verify([write_ledger([message(0), again, other])], database_url)

    assert verdict == Verdict(4, 4, 4, duplicates=0, lost=0, collided=2)


async def test_readings_without_a_time_are_counted_by_value(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    """Three sends of one value and two rows of it: one is lost. A row more than was sent is told, not failed."""
    same = [message(number, timed=False) for number in range(3)]
    other = message(3, timed=False, values=(1.0, 2, False, "off"))
    stamped = [*readings_of(same[:2], later_us=777), *readings_of([other], later_us=777)]
    await store.write([*stamped, *readings_of([other], later_us=99_777)])

    verdict = await verify([write_ledger([*same, other])], database_url)

    assert verdict == Verdict(16, 16, 12, duplicates=0, lost=4, lost_after_puback=4, repeated=4)


async def test_a_value_that_was_never_sent_without_a_time_is_a_phantom(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    sent = [message(0, timed=False)]
    await store.write([*readings_of(sent, later_us=5_000), Reading("sim-00000", "humidity", START_US + 9, 41.0)])

    assert (await verify([write_ledger(sent)], database_url)).phantom == 1


@pytest.mark.parametrize("seed", range(4))
async def test_any_world_is_judged_as_sets_judge_it(
    store: Store, database_url: str, sql: RawConnection, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    devices, metrics = ("a", "b", "c"), ("m", "n")
    values: list[Value] = [1.0, 2.5, 1e300, -3.0, "x", "1.0"]
    begin_us = START_US

    def pick() -> tuple[str, str, int]:
        return rng.choice(devices), rng.choice(metrics), begin_us + rng.randrange(12)

    kinds = rng.choices(list(Acknowledgement), k=150)
    sends = [Send(*pick(), rng.choice(values), kind, timed=rng.random() < 0.7) for kind in kinds]
    # The outermost times belong to sends of each device, so that every row lies within its device's times.
    sends += [Send(device, "m", begin_us + at, 1.0, PUBACK) for device in devices for at in (0, 12)]
    stored = {of.identity: of.value for of in rng.sample(sends, 100)} | {pick(): rng.choice(values) for _ in range(20)}
    await store.write([Reading(*identity, value) for identity, value in stored.items()])
    both = next(identity for identity, value in stored.items() if isinstance(value, str))
    await sql.execute(
        "INSERT INTO readings SELECT series_id, ts, 7 FROM readings_text JOIN series ON series.id = series_id "
        "JOIN devices ON devices.id = device_id WHERE devices.name = $1 AND metric = $2 "
        "AND ts = timestamptz 'epoch' + $3::bigint * interval '1 microsecond'",
        *both,
    )
    rows = [Row(*identity, value) for identity, value in stored.items() if not isinstance(value, bool)]
    rows.append(Row(*both, 7.0))
    with LedgerWriter(tmp_path / "ledger", lambda: begin_us + 1) as ledger:
        ledger.begin(begin_us)
        for number, send in enumerate(sends):
            of = Message(number, 0, send.device, (send.metric,), send.time_us, 0.0, "t", b"", (send.value,), send.timed)
            ledger.sent([of])
            if send.acknowledged:
                ledger.acknowledged([of], send.acknowledged)

    assert await verify([tmp_path / "ledger"], database_url) == naive_verdict(sends, rows)


async def test_an_empty_ledger_is_right(database_url: str, write_ledger: WriteLedger) -> None:
    assert await verify([write_ledger([])], database_url) == Verdict(0, 0, 0, 0, 0)


async def test_a_hundred_thousand_readings_are_verified_in_seconds(
    store: Store, database_url: str, write_ledger: WriteLedger
) -> None:
    sent = [message(number, f"sim-{number % 50:05d}") for number in range(25_000)]
    rows = readings_of(sent)
    for first in range(0, len(rows), 10_000):
        await store.write(rows[first : first + 10_000])
    ledger = write_ledger(sent)
    began = time.process_time()

    verdict = await verify([ledger], database_url)

    assert verdict == Verdict(len(rows), len(rows), len(rows), duplicates=0, lost=0)
    assert time.process_time() - began < 10  # CPU: the audit is at 1


@pytest.mark.parametrize("url", ["embedded", "mysql://u:hidden@h/d", "postgresql://u:hidden@127.0.0.1:1/d"])
async def test_a_database_that_cannot_be_asked_names_the_option_and_no_password(
    url: str, write_ledger: WriteLedger
) -> None:
    with pytest.raises(BadArgumentError, match="--database-url") as caught:
        await verify([write_ledger([])], url)

    assert "hidden" not in str(caught.value)


async def test_a_database_without_the_hubs_tables_is_told(empty_database_url: str, write_ledger: WriteLedger) -> None:
    with pytest.raises(BadArgumentError, match=r"--database-url: .*does not exist"):
        await verify([write_ledger(SENT)], empty_database_url)


async def test_a_hubs_database_passes_the_check_before_a_run(store: Store, database_url: str) -> None:
    await check_database(database_url)


async def test_a_database_is_told_before_a_run_when_it_is_no_hubs_or_away(empty_database_url: str) -> None:
    with pytest.raises(BadArgumentError, match=r"--database-url: .*no table 'devices'.*start the hub"):
        await check_database(empty_database_url)
    with pytest.raises(
        BadArgumentError, match=r"--database-url: the database cannot be asked: .*Connect call failed"
    ) as caught:
        await check_database("postgresql://u:hidden@127.0.0.1:1/d")
    assert "hidden" not in str(caught.value)
