"""What decoders remember is bounded, and strangers cannot push out devices at work."""

from hub.telemetry.decoders.memory import QUIET_US, Memory, Remembered

NOW_US = 1_795_190_400_000_000


def test_a_device_stays_the_same_and_a_new_one_has_nothing() -> None:
    memory = Memory(Remembered, 2, 10)
    device = memory.heard("a", NOW_US)

    assert device is memory.heard("a", NOW_US)
    assert device is memory.known("a", NOW_US)
    assert device is memory.peek("a")
    assert memory.known("b", NOW_US) is None
    assert memory.peek("b") is None
    assert 0 == device.size


def test_when_full_a_stranger_is_not_remembered_and_nobody_goes() -> None:
    memory = Memory(Remembered, 2, 10)
    for name in ("a", "b"):
        memory.heard(name, NOW_US)

    stranger = memory.heard("c", NOW_US + QUIET_US - 1)

    assert not stranger.remembered
    assert ["a", "b"] == [name for name in "abc" if memory.peek(name)]


def test_who_was_silent_longest_goes_first() -> None:
    memory = Memory(Remembered, 2, 10)
    for name in ("a", "b"):
        memory.heard(name, NOW_US)
    memory.known("a", NOW_US + 1)

    assert memory.heard("c", NOW_US + QUIET_US).remembered
    assert ["a", "c"] == [name for name in "abc" if memory.peek(name)]


def test_parts_are_bounded_over_all_devices() -> None:
    memory = Memory(Remembered, 9, 10)
    large = memory.heard("a", NOW_US)
    large.size = memory.limit(large)
    memory.resized(large, 0)

    assert (10, 10) == (memory.parts, memory.limit(large))
    assert not memory.heard("b", NOW_US).remembered
    memory.forget("a")
    assert 0 == memory.parts
    assert memory.heard("b", NOW_US).remembered
