"""The ledger: what is written is on disk at once and reads back; damage is told or, at the torn end, cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_sim.errors import BadArgumentError, LedgerError
from device_sim.ledger import HEADER, LedgerEntry, LedgerWriter, read_ledger
from device_sim.message import Message


def message(number: int, device: str = "sim-00000", metrics: tuple[str, ...] = ("a", "b")) -> Message:
    return Message(number, 0, device, metrics, 1_000 + number, 0.0, "t", b"{}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def test_sent_and_acknowledged_are_on_disk_when_the_call_returns(path: Path) -> None:
    with LedgerWriter(path) as ledger:
        ledger.sent([message(0), message(1, "sim-00001")])
        assert list(read_ledger(path)) == [
            LedgerEntry("sim-00000", ("a", "b"), 1_000, acknowledged=False),
            LedgerEntry("sim-00001", ("a", "b"), 1_001, acknowledged=False),
        ]
        ledger.acknowledged([message(1)])
        assert [entry.acknowledged for entry in read_ledger(path)] == [False, True]


def test_the_format_is_the_documented_one(path: Path) -> None:
    with LedgerWriter(path) as ledger:
        ledger.sent([message(n) for n in range(5)])
        ledger.acknowledged([message(n) for n in (4, 0, 1, 2)])

    assert path.read_text() == (
        'device-sim-ledger 1\nD "sim-00000"\nM ["a","b"]\n'
        "S 0 0 1000\nS 0 0 1001\nS 0 0 1002\nS 0 0 1003\nS 0 0 1004\nA 0 2\nA 4 4\n"
    )


@given(st.sets(st.integers(0, 40)), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_any_names_and_any_order_of_acknowledgements_read_back(
    tmp_path_factory: pytest.TempPathFactory, acknowledged: set[int], names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    messages = [message(n, names[n % len(names)], tuple(names[: n % len(names)])) for n in range(41)]
    with LedgerWriter(path) as ledger:
        ledger.sent(messages)
        if acknowledged:
            ledger.acknowledged([messages[n] for n in acknowledged])

    assert list(read_ledger(path)) == [
        LedgerEntry(m.device, m.metrics, m.time_us, m.number in acknowledged) for m in messages
    ]


def test_a_second_run_appends_with_numbers_of_its_own(path: Path) -> None:
    for device in ("x", "y"):
        with LedgerWriter(path) as ledger:
            ledger.sent([message(0, device)])
            ledger.acknowledged([message(0, device)])

    assert [(entry.device, entry.acknowledged) for entry in read_ledger(path)] == [("x", True), ("y", True)]


def test_a_torn_line_is_ignored_and_cut_when_the_ledger_goes_on(path: Path) -> None:
    with LedgerWriter(path) as ledger:
        ledger.sent([message(0)])
    with path.open("a") as file:
        file.write("S 0 0 17")
    assert len(list(read_ledger(path))) == 1

    with LedgerWriter(path) as ledger:
        ledger.sent([message(0)])

    assert [entry.time_us for entry in read_ledger(path)] == [1_000, 1_000]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("S 1 0 5", "not an entry"),
        ("S 0 0", "not an entry"),
        ("A 0 1", "acknowledges 0 to 1, but 1 messages"),
        ("A 1 0", "acknowledges 1 to 0"),
        ("D nothing", "not an entry"),
        ("M 5", "not an entry"),
        ("X 1", "none of D, M, S, A"),
        ("", "none of D, M, S, A"),
    ],
)
def test_a_damaged_line_is_told_with_its_number(path: Path, line: str, problem: str) -> None:
    path.write_text(f'{HEADER}\nD "d"\nM ["m"]\nS 0 0 1\n{line}\nS 0 0 2\n')

    with pytest.raises(LedgerError, match=problem) as caught:
        list(read_ledger(path))
    assert caught.value.line == 5


@pytest.mark.parametrize("content", ["", "timestamp,value\n1,2\n", HEADER])
def test_another_file_is_refused(path: Path, content: str) -> None:
    path.write_text(content)

    with pytest.raises(LedgerError, match="is this a ledger"):
        list(read_ledger(path))


def test_messages_out_of_order_are_a_bug(path: Path) -> None:
    with LedgerWriter(path) as ledger, pytest.raises(ValueError, match="out of order"):
        ledger.sent([message(1)])


def test_a_path_that_cannot_be_written_or_read_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="--ledger"):
        LedgerWriter(tmp_path / "none" / "ledger")
    with pytest.raises(BadArgumentError, match="--ledger"):
        list(read_ledger(tmp_path / "none"))


def test_without_a_path_nothing_is_kept() -> None:
    with LedgerWriter(None) as ledger:
        ledger.sent([message(3)])
        ledger.acknowledged([message(3)])
