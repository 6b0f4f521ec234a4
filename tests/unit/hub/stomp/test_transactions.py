"""Transactions: gathered in order, bounded, names free again after their end."""

import pytest

from hub.refusal import CloseCode, Refusal
from hub.stomp.frames import Frame, Head
from hub.stomp.transactions import TransactionLimits, Transactions


def send(body: bytes = b"", receipt: str | None = None, **headers: str) -> Frame:
    return Frame(
        Head("SEND", {"destination": "/topic/a", **headers}, None, 40 + sum(map(len, (*headers, *headers.values())))),
        body,
        receipt,
    )


def transactions(**limits: int) -> Transactions:
    return Transactions(TransactionLimits(**limits))


def test_commit_gives_the_frames_in_arrival_order_and_frees_the_name() -> None:
    opened = transactions()
    opened.begin("t", None)
    frames = [send(b"%d" % number) for number in range(5)]
    for frame in frames:
        opened.add("t", frame)
    assert frames == opened.commit("t", None).frames
    opened.begin("t", None)
    assert [] == opened.commit("t", None).frames


def test_abort_forgets_the_frames_and_frees_the_name() -> None:
    opened = transactions()
    opened.begin("t", None)
    opened.add("t", send(b"x"))
    opened.abort("t", None)
    opened.begin("t", None)
    assert [] == opened.commit("t", None).frames


@pytest.mark.parametrize("name", ["", "__proto__", "x" * 100_000, "é\n:"])
def test_a_name_is_any_text(name: str) -> None:
    opened = transactions()
    opened.begin(name, None)
    assert [] == opened.commit(name, None).frames


def test_transactions_interleave() -> None:
    opened = transactions()
    first, second = send(b"1"), send(b"2")
    opened.begin("a", None)
    opened.begin("b", None)
    opened.add("b", second)
    opened.add("a", first)
    assert ([first], [second]) == (opened.commit("a", None).frames, opened.commit("b", None).frames)


def test_what_is_open_cannot_begin_and_what_is_not_cannot_end() -> None:
    opened = transactions()
    opened.begin("t", None)
    with pytest.raises(Refusal, match="already open") as begun:
        opened.begin("t", "r")
    assert ("Bad transaction", "r") == (begun.value.reason.value, begun.value.receipt)
    opened.abort("t", None)
    for end in (opened.commit, opened.abort):
        with pytest.raises(Refusal, match="no transaction") as ended:
            end("t", "r")
        assert ("Unknown transaction", "r") == (ended.value.reason.value, ended.value.receipt)
    with pytest.raises(Refusal, match="no transaction") as added:
        opened.add("t", send(receipt="r"))
    assert "r" == added.value.receipt


def test_open_transactions_are_bounded() -> None:
    opened = transactions(open=2)
    opened.begin("a", None)
    opened.begin("b", None)
    with pytest.raises(Refusal, match="at most 2"):
        opened.begin("c", None)


def test_frames_of_a_transaction_are_bounded_in_number() -> None:
    opened = transactions(frames=3)
    opened.begin("t", None)
    for _ in range(3):
        opened.add("t", send())
    with pytest.raises(Refusal, match="more than 3 frames") as refused:
        opened.add("t", send(receipt="r"))
    assert (CloseCode.TOO_BIG, "r") == (refused.value.answer.close_code, refused.value.receipt)


@pytest.mark.parametrize("frame", [send(b"x" * 10_000), send(header="x" * 10_000)], ids=["body", "headers"])
def test_frames_of_a_transaction_are_bounded_in_bytes_headers_included(frame: Frame) -> None:
    opened = transactions(bytes=25_000)
    opened.begin("t", None)
    opened.add("t", frame)
    opened.add("t", frame)
    with pytest.raises(Refusal, match="25000 bytes"):
        opened.add("t", frame)


def test_a_lost_connection_forgets_everything() -> None:
    opened = transactions()
    opened.begin("t", None)
    opened.clear()
    assert 0 == len(opened)
