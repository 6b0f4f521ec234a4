"""The table of states, and what a node remembers."""

import pytest

from hub.telemetry.decoders.sparkplug import node as module
from hub.telemetry.decoders.sparkplug.node import MAX_METRICS_OF_A_NODE, STEPS, Definition, Node, State
from hub.telemetry.decoders.sparkplug.topics import COMMANDS, Kind


def define(device: str, name: str, alias: int | None = None) -> Definition:
    return Definition(device, name, 3, alias, "", None)


def test_every_message_of_a_node_has_a_row_in_every_state() -> None:
    kinds = set(Kind) - COMMANDS - {Kind.STATE}

    assert {(state, kind) for state in State for kind in kinds} == set(STEPS)


def test_the_table_at_the_head_is_the_table() -> None:
    assert module.__doc__ is not None
    drawn = {}
    for line in module.__doc__.splitlines():
        words = line.replace(",", "").split()
        if words and words[0] in {"UNKNOWN", "ONLINE"}:
            kinds = [word for word in words[1:] if word in Kind.__members__]
            action, then = words[1 + len(kinds) : 3 + len(kinds)]
            drawn.update({(State[words[0]], Kind[kind]): (action, then, "yes" in line) for kind in kinds})

    assert drawn == {key: (step.action.value, step.then.name, step.ask) for key, step in STEPS.items()}


def test_names_and_aliases_are_found_for_their_own_device_only() -> None:
    node = Node()
    node.bear("", [define("", "a", 1)], 99)
    node.bear("d", [define("d", "a", 2)], 99)

    assert define("", "a", 1) == node.find("", "a", None)
    assert define("d", "a", 2) == node.find("d", None, 2)
    assert node.find("d", None, 1) is None
    assert node.find("e", "a", None) is None
    assert node.find("d", None, None) is None


def test_a_name_born_twice_is_one_metric_and_the_last_counts() -> None:
    node = Node()
    node.bear("", [define("", "a", 1), define("", "a", 2)], 99)

    assert node.find("", None, 1) is None
    assert define("", "a", 2) == node.find("", None, 2)
    assert 2 == node.size


def test_who_dies_leaves_nothing_and_takes_no_alias_of_another() -> None:
    node = Node()
    node.bear("d", [define("d", "a", 1)], 99)
    node.bear("e", [define("e", "b", 1)], 99)
    node.bury("d")
    node.bury("stranger")

    assert define("e", "b", 1) == node.find("e", None, 1)
    assert (2, ["e"]) == (node.size, node.born_devices())


@pytest.mark.parametrize(("limit", "left_out"), [(1, 3), (3, 1), (4, 0), (99, 0)])
def test_what_finds_no_room_is_counted(limit: int, left_out: int) -> None:
    node = Node()

    assert left_out == node.bear("", [define("", str(number)) for number in range(3)], limit)


def test_a_node_has_a_limit_of_its_own() -> None:
    node = Node()
    metrics = [define("", str(number)) for number in range(MAX_METRICS_OF_A_NODE + 5)]

    assert 6 == node.bear("", metrics, 10**9)
    assert MAX_METRICS_OF_A_NODE == node.size


@pytest.mark.parametrize(("born", "death", "ends"), [(1, 1, True), (1, 2, False), (None, 2, True), (1, None, True)])
def test_a_death_belongs_to_the_session_of_its_number(born: int | None, death: int | None, ends: bool) -> None:
    node = Node()
    node.bd_seq = born

    assert ends == node.owns(death)
