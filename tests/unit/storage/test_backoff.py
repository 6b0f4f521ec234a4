"""Back-off grows, stays below its limit, and starts over after a success."""

from storage.backoff import Backoff


def test_waiting_times_grow_to_their_limit_and_start_over() -> None:
    backoff = Backoff(first_s=0.1, longest_s=2.0)

    waits = [backoff.next_s() for _ in range(2000)]

    assert 0.025 <= waits[0] <= 0.1
    assert 0.5 <= max(waits) <= 2.0
    backoff.reset()
    assert backoff.next_s() <= 0.1
