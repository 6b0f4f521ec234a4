"""The ledger: what is written is on disk at once and reads back; damage is told or, at the torn end, cut."""

import resource
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.errors import BadArgumentError, LedgerError
from device_sim.ledger.reader import LedgerFile, RunSpan, read_ledger
from device_sim.ledger.writer import HEADER, LONGEST_LINE, Acknowledgement, LedgerEntry, LedgerWriter
from device_sim.message import Message, Value

START_US = 1_795_190_400_000_000
NONE, PUBACK, RECEIPT = Acknowledgement
COST_US = 8.0
"""cpu-us a message; 1.3 on the machine of docs/benchmarks.md."""


def message(
    number: int,
    device: str = "sim-00000",
    metrics: tuple[str, ...] = ("a", "b"),
    values: tuple[Value, ...] = (1.5, "on"),
    *,
    timed: bool = True,
) -> Message:
    return Message(number, 0, device, metrics, START_US + number, number / 1e3, "t", b"{}", values, timed)


def writer(path: Path | None, now_us: int = START_US + 9) -> LedgerWriter:
    ledger = LedgerWriter(path, lambda: now_us)
    ledger.begin(START_US)
    return ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def test_sent_and_acknowledged_are_on_disk_when_the_call_returns(path: Path) -> None:
    with writer(path) as ledger:
        ledger.sent([message(0), message(1, "sim-00001", timed=False)])
        assert list(read_ledger(path)) == [
            LedgerEntry("sim-00000", ("a", "b"), START_US, (1.5, "on"), START_US, NONE, 0),
            LedgerEntry("sim-00001", ("a", "b"), START_US + 1, (1.5, "on"), START_US + 1_000, NONE, 0, timed=False),
        ]
        ledger.acknowledged([message(1)])
        assert [(entry.acknowledged, entry.acked_us) for entry in read_ledger(path)] == [
            (NONE, 0),
            (PUBACK, START_US + 9),
        ]


def test_the_format_is_the_documented_one(path: Path) -> None:
    with writer(path) as ledger:
        ledger.sent([message(n) for n in range(2)])
        ledger.sent([message(2, timed=False), message(3, metrics=(), values=()), message(7)])
        ledger.acknowledged([message(n) for n in (2, 0, 1)])
        ledger.acknowledged([message(n) for n in (3, 7)], RECEIPT)

    assert path.read_text() == (
        'device-sim-ledger 2\nB 1795190400000000\nD "sim-00000"\nM ["a","b"]\n'
        'S 0 2 [[0,0,1795190400000000,0,[1.5,"on"]],[0,0,1795190400000001,1000,[1.5,"on"]]]\n'
        "M []\n"
        'S 2 2 [[0,0,1795190400000002,2000,[1.5,"on"],0],[0,1,1795190400000003,3000,[]]]\n'
        'S 7 1 [[0,0,1795190400000007,7000,[1.5,"on"]]]\n'
        "A 1795190400000009 0 2\n"
        "R 1795190400000009 3 3\nR 1795190400000009 7 7\n"
    )


@given(
    st.sets(st.integers(0, 40)),
    st.lists(st.text(max_size=5), min_size=1, max_size=4),
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text(max_size=3), min_size=4, max_size=4
    ),
    st.permutations(range(41)),
)
def test_any_names_values_and_orders_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    acknowledged: set[int],
    names: list[str],
    values: list[Value],
    order: list[int],
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    messages = []
    for number in order:
        count = number % len(names)
        metrics, of_them = tuple(names[:count]), tuple(values[:count])
        messages.append(message(number, names[count], metrics, of_them, timed=number % 3 > 0))
    with writer(path) as ledger:
        ledger.sent(messages[:17])
        ledger.sent(messages[17:])
        ledger.acknowledged([m for m in messages if m.number in acknowledged])

    assert list(read_ledger(path)) == [
        LedgerEntry(
            m.device,
            m.metrics,
            m.time_us,
            m.values,
            START_US + m.number * 1_000,
            PUBACK if m.number in acknowledged else NONE,
            START_US + 9 if m.number in acknowledged else 0,
            m.timed,
        )
        for m in messages
    ]


def test_the_first_acknowledgement_counts_for_the_time_and_the_strongest_for_the_kind(path: Path) -> None:
    times = iter([START_US + 5, START_US + 6])
    with LedgerWriter(path, lambda: next(times)) as ledger:
        ledger.begin(START_US)
        ledger.sent([message(0)])
        ledger.acknowledged([message(0)])
        ledger.acknowledged([message(0)], RECEIPT)

    (entry,) = read_ledger(path)
    assert (entry.acknowledged, entry.acked_us) == (RECEIPT, START_US + 5)


def test_a_second_run_appends_with_numbers_and_a_span_of_its_own(path: Path) -> None:
    for device, now_us in (("x", START_US + 10), ("y", START_US + 20)):
        with writer(path, now_us) as ledger:
            ledger.sent([message(0, device)])
            ledger.acknowledged([message(0, device)])

    file = LedgerFile(path)
    assert [(entry.device, entry.acked_us - START_US) for entry in file.entries()] == [("x", 10), ("y", 20)]
    assert file.spans == [RunSpan(START_US, START_US + 10), RunSpan(START_US, START_US + 20)]


def test_a_long_burst_is_cut_into_lines_that_a_reader_can_hold(path: Path) -> None:
    with writer(path) as ledger:
        ledger.sent([message(n) for n in range(LONGEST_LINE * 2 + 1)])

    assert path.read_text().count("\nS ") == 3
    assert len(list(read_ledger(path))) == LONGEST_LINE * 2 + 1


@pytest.mark.parametrize("tail", ["S 1 1 [[0,0,17", "A 17", "x" * 200_000], ids=["sent", "acknowledged", "long"])
def test_a_torn_line_is_ignored_and_cut_when_the_ledger_goes_on(path: Path, tail: str) -> None:
    with writer(path) as ledger:
        ledger.sent([message(0)])
    with path.open("a") as file:
        file.write(tail)
    assert len(list(read_ledger(path))) == 1

    with writer(path) as ledger:
        ledger.sent([message(0)])

    assert [entry.time_us for entry in read_ledger(path)] == [START_US, START_US]


def test_what_is_appended_while_it_is_read_is_left_for_the_next_time(path: Path) -> None:
    with writer(path) as ledger:
        ledger.sent([message(0)])
        file = LedgerFile(path)
        ledger.sent([message(1)])

        assert len(list(file.entries())) == 1
        assert len(list(read_ledger(path))) == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("S 1 1 [[1,0,5,5,[1]]]", "not an entry"),
        ("S 1 1 [[0,0,5,5,[]]]", "0 values for the 1 metrics"),
        ("S 1 2 [[0,0,5,5,[1]]]", "says 2 messages and holds 1"),
        ("S 0", "not an entry"),
        ("S 99999999999 1 [[0,0,5,5,[1]]]", "not an entry"),
        ("A 5 0 1", "acknowledges 0 to 1, but 1 messages"),
        ("A 5 1 0", "acknowledges 1 to 0"),
        ("R 5 0", "not an entry"),
        ("D nothing", "not an entry"),
        ("M 5", "not an entry"),
        ("X 1", "none of B, D, M, S, A, R"),
        ("", "none of B, D, M, S, A, R"),
    ],
)
def test_a_damaged_line_is_told_with_its_number(path: Path, line: str, problem: str) -> None:
    path.write_text(f'{HEADER}\nB 0\nD "d"\nM ["m"]\nS 0 1 [[0,0,1,1,[1]]]\n{line}\nB 0\n')

    with pytest.raises(LedgerError, match=problem) as caught:
        list(read_ledger(path))
    assert caught.value.line == 6


@pytest.mark.parametrize("content", ["", "timestamp,value\n1,2\n", HEADER, "device-sim-ledger 1\nS 0 0 1\n"])
def test_another_file_is_refused(path: Path, content: str) -> None:
    path.write_text(content)

    with pytest.raises(LedgerError, match="is this a ledger"):
        list(read_ledger(path))


def test_messages_before_the_beginning_are_a_bug(path: Path) -> None:
    with LedgerWriter(path) as ledger, pytest.raises(ValueError, match="before the run began"):
        ledger.sent([message(0)])


def test_a_path_that_cannot_be_written_or_read_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="--ledger"):
        LedgerWriter(tmp_path / "none" / "ledger")
    with pytest.raises(BadArgumentError, match="--ledger"):
        list(read_ledger(tmp_path / "none"))


def test_a_disk_that_is_full_names_the_option(path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LedgerWriter(path) as ledger:
        ledger.begin(START_US)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
        try:
            with pytest.raises(BadArgumentError, match=r"--ledger: cannot write .*: File too large"):
                ledger.sent([message(0)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_without_a_path_nothing_is_kept() -> None:
    with LedgerWriter(None) as ledger:
        ledger.begin(START_US)
        ledger.sent([message(3)])
        ledger.acknowledged([message(3)])


def test_a_message_costs_the_sender_little(path: Path) -> None:
    messages = [message(n) for n in range(20_000)]
    with writer(path) as ledger:
        began = time.process_time()
        for first in range(0, len(messages), 100):
            ledger.sent(messages[first : first + 100])
            ledger.acknowledged(messages[first : first + 100])
        spent_us = (time.process_time() - began) * 1e6

    assert spent_us / len(messages) < COST_US
