"""The pauses between attempts."""

import random
from itertools import islice

from device_sim.links.reactor import FIRST_DELAY_S, LONGEST_DELAY_S, delays


def test_pauses_double_up_to_a_bound_with_jitter() -> None:
    for seed in range(20):
        pauses = list(islice(delays(random.Random(seed)), 12))
        for number, pause in enumerate(pauses):
            longest = min(FIRST_DELAY_S * 2**number, LONGEST_DELAY_S)
            assert longest / 2 <= pause <= longest


def test_two_clients_do_not_come_back_together() -> None:
    assert next(delays(random.Random(1))) != next(delays(random.Random(2)))
