"""How often nodes are asked for their births."""

import itertools

from hub.telemetry.decoders.sparkplug.rebirths import (
    BURST,
    CALM_US,
    FIRST_WAIT_US,
    LONGEST_WAIT_US,
    PER_S,
    US_PER_S,
    Asked,
    Rebirths,
)

NOW_US = 1_795_190_400_000_000


def test_one_request_is_outstanding() -> None:
    rebirths, node = Rebirths(), Asked()

    assert rebirths.ask(node, NOW_US)
    assert not rebirths.ask(node, NOW_US + FIRST_WAIT_US - 1)
    assert rebirths.ask(node, NOW_US + FIRST_WAIT_US)


def test_requests_that_do_not_help_become_rarer_to_a_bound() -> None:
    rebirths, node = Rebirths(), Asked()
    asked = [second for second in range(6_000) if rebirths.ask(node, NOW_US + second * US_PER_S)]

    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert [10, 20, 40, 80, 160, 320, 600, 600] == gaps[:8]
    assert LONGEST_WAIT_US == max(gaps) * US_PER_S


def test_a_calm_hour_makes_a_node_as_good_as_new() -> None:
    rebirths, node = Rebirths(), Asked()
    for second in range(600):
        rebirths.ask(node, NOW_US + second * US_PER_S)

    again = NOW_US + 600 * US_PER_S + CALM_US
    assert rebirths.ask(node, again)
    assert rebirths.ask(node, again + FIRST_WAIT_US)


def test_the_fleet_is_asked_in_a_burst_and_then_steadily() -> None:
    rebirths = Rebirths()
    nodes = [Asked() for _ in range(BURST + 2 * PER_S)]

    assert BURST == sum(rebirths.ask(node, NOW_US) for node in nodes)
    assert PER_S == sum(rebirths.ask(node, NOW_US + US_PER_S) for node in nodes)
