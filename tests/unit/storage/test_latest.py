"""Lateness is behind a time already seen for the same series."""

from storage.latest import Lateness


def test_a_reading_behind_a_newer_one_is_late() -> None:
    lateness = Lateness(10)

    assert not lateness.observe("d", "m", 5)
    assert not lateness.observe("d", "m", 5)
    assert lateness.observe("d", "m", 4)
    assert not lateness.observe("d", "other", 4)
    assert not lateness.observe("d", "m", 6)


def test_its_memory_is_bounded() -> None:
    lateness = Lateness(2)

    for device in "abc":
        lateness.observe(device, "m", 5)

    assert not lateness.observe("a", "m", 1), "forgotten"
    assert lateness.observe("c", "m", 1)
