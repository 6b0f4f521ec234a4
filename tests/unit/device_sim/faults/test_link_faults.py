"""Faults of connections: LinkActions at the right times, and what a device sends while it has none."""

from itertools import pairwise
from typing import Any

import pytest

from device_sim.message import LinkActionKind
from tests.support.scenarios import actions, messages, scenario, unnumbered

CONNECT, DISCONNECT, CUT, FREEZE = (
    LinkActionKind.CONNECT,
    LinkActionKind.DISCONNECT,
    LinkActionKind.CUT,
    LinkActionKind.FREEZE,
)


def of_device(source: int, *faults: dict[str, Any], **changes: Any) -> list[tuple[float, LinkActionKind]]:
    return [(action.due_s, action.kind) for action in actions(scenario(*faults, **changes)) if action.source == source]


def test_without_faults_each_device_connects_once_at_the_start() -> None:
    assert [(action.due_s, action.source, action.kind) for action in actions(scenario())] == [
        (0.0, source, CONNECT) for source in range(10)
    ]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "half-open"}, FREEZE),
        ({"kind": "offline"}, CUT),
        ({"kind": "offline", "orderly": True}, DISCONNECT),
        ({"kind": "reconnect-storm"}, CUT),
    ],
    ids=["half-open", "offline", "asleep", "storm"],
)
def test_a_connection_fails_and_comes_back(fault: dict[str, Any], kind: LinkActionKind) -> None:
    fault = {"at": 10, "for": 5, "ids": ["a-3"], **fault}

    assert of_device(3, fault) == [(0.0, CONNECT), (10.0, kind), (15.0, CONNECT)]
    assert of_device(4, fault) == [(0.0, CONNECT)]


def test_a_device_that_never_comes_back_is_silent_from_then_on() -> None:
    fault = {"kind": "offline", "at": 10, "ids": ["a-3"]}

    assert of_device(3, fault) == [(0.0, CONNECT), (10.0, CUT)]
    assert max(message.due_s for message in messages(scenario(fault)) if message.source == 3) < 10


@pytest.mark.parametrize("kind", ["half-open", "offline", "reconnect-storm"])
def test_without_backfill_what_is_measured_offline_is_never_sent(kind: str) -> None:
    sent = messages(scenario({"kind": kind, "at": 10, "for": 5}))

    assert not [message for message in sent if 10 <= message.due_s < 15]
    assert unnumbered(sent) == [m for m in unnumbered(messages(scenario())) if not 10 <= m.due_s < 15]


@pytest.mark.parametrize("kind", ["half-open", "offline", "reconnect-storm"])
def test_with_backfill_it_stays_in_the_schedule_at_its_time(kind: str) -> None:
    fault = {"kind": kind, "at": 10, "for": 5}

    assert messages(scenario(fault, backfill=True)) == messages(scenario(backfill=True))


def test_messages_that_were_held_back_do_not_leave_without_a_connection() -> None:
    late = {"kind": "out-of-order", "held_s": 3, "at": 5, "for": 5}
    sent = messages(scenario(late, {"kind": "offline", "at": 10, "for": 5}))

    assert not [message for message in sent if 10 <= message.due_s < 15]


def test_flapping_loses_and_makes_connections_only_while_it_acts() -> None:
    happened = of_device(3, {"kind": "flapping", "at": 10, "for": 15, "up_s": 1, "down_s": 0.5, "ids": ["a-3"]})
    kinds = [kind for _, kind in happened]

    assert happened[0] == (0.0, CONNECT)
    assert all(10 <= due_s <= 25 for due_s, _ in happened[1:])
    assert len(happened) > 8
    assert all({a, b} == {CONNECT, CUT} for a, b in pairwise(kinds))
    assert kinds[-1] is CONNECT


def test_a_storm_ends_all_connections_at_one_moment_and_brings_them_back_within_the_time_given() -> None:
    storm = actions(scenario({"kind": "reconnect-storm", "at": 10, "for": 2, "within_s": 3}))
    cuts = [action for action in storm if action.kind is CUT]
    back = [action for action in storm if action.kind is CONNECT and action.due_s > 0]

    assert {action.due_s for action in cuts} == {10.0}
    assert {action.source for action in cuts} == {action.source for action in back} == set(range(10))
    assert all(12 <= action.due_s <= 15 for action in back)
    assert len({action.due_s for action in back}) == 10


def test_absences_that_overlap_are_one() -> None:
    frozen = {"kind": "half-open", "at": 10, "for": 6, "ids": ["a-3"]}
    cut = {"kind": "offline", "at": 12, "for": 8, "ids": ["a-3"]}

    assert of_device(3, frozen, cut) == [(0.0, CONNECT), (10.0, FREEZE), (20.0, CONNECT)]


def test_wills_and_births_belong_to_connections() -> None:
    """Sparkplug: each connection has a will and a birth with the same bdSeq, and sequence numbers begin again."""
    wanted = scenario({"kind": "offline", "at": 10, "for": 5, "ids": ["a-3"]}, format="sparkplug")
    wills = [action.will for action in actions(wanted) if action.source == 3 and action.kind is CONNECT]
    births = [message for message in messages(wanted) if message.source == 3 and "/NBIRTH/" in message.topic]

    assert len(wills) == len(births) == 2
    assert wills[0] is not None
    assert wills[1] is not None
    assert wills[0].payload != wills[1].payload
    for will, birth in zip(wills, births, strict=True):
        assert will is not None
        assert will.topic == "spBv1.0/plant/NDEATH/a-3"
        assert will.payload in birth.payload  # the bdSeq metric, the same bytes
