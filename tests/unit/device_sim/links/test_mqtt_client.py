"""PUBLISH packets, octet by octet (MQTT 3.1.1, section 3.3)."""

import pytest

from device_sim.links.mqtt_client import publish_packet


def test_the_layout_of_a_packet() -> None:
    assert publish_packet(0x1234, "a/b", b"{}", again=False) == b"\x32\x09\x00\x03a/b\x12\x34{}"


def test_a_repeat_sets_dup_and_nothing_else() -> None:
    first, again = publish_packet(7, "t", b"x", again=False), publish_packet(7, "t", b"x", again=True)

    assert (again[0], again[1:]) == (first[0] | 0x08, first[1:])


@pytest.mark.parametrize(
    ("size", "length"),
    [
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_152, b"\x80\x80\x80\x01"),
    ],
)
def test_remaining_length_at_its_borders(size: int, length: bytes) -> None:
    payload = b"x" * (size - 5)
    packet = publish_packet(1, "t", payload, again=False)

    assert packet[1 : 1 + len(length)] == length
    assert len(packet) == 1 + len(length) + size
