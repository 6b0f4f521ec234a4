"""PUBLISH and PUBACK packets, octet by octet (MQTT 3.1.1 and 5, sections 3.3 and 3.4)."""

import pytest
from device_sim.links.mqtt_packets import publish_packet, take_pubacks


def test_the_layout_of_a_packet() -> None:
    assert publish_packet(0x1234, "a/b", b"{}") == b"\x32\x09\x00\x03a/b\x12\x34{}"


def test_a_repeat_sets_dup_and_nothing_else() -> None:
    first, again = publish_packet(7, "t", b"x"), publish_packet(7, "t", b"x", again=True)

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
    packet = publish_packet(1, "t", payload)

    assert packet[1 : 1 + len(length)] == length
    assert len(packet) == 1 + len(length) + size


def test_mqtt_5_adds_an_empty_list_of_properties() -> None:
    assert publish_packet(1, "t", b"x", v5=True) == b"\x32\x07\x00\x01t\x00\x01\x00x"


def test_qos_0_has_no_message_id_and_retain_is_a_bit() -> None:
    assert publish_packet(0, "t", b"x", qos=0, retain=True) == b"\x31\x04\x00\x01tx"


PUBACKS = b"\x40\x02\x00\x01\x40\x03\x00\x02\x10\x40\x04\x01\x00\x97\x00\x40\x02\xff\xff"


def test_pubacks_are_taken_with_and_without_a_reason() -> None:
    taken: list[int] = []
    refused: list[int] = []

    assert take_pubacks(PUBACKS, 0, taken, refused) == len(PUBACKS)
    assert (taken, refused) == ([1, 2, 65_535], [256])


@pytest.mark.parametrize("cut", range(len(PUBACKS)))
def test_a_torn_puback_is_left(cut: int) -> None:
    taken: list[int] = []
    refused: list[int] = []
    position = take_pubacks(PUBACKS[:cut], 0, taken, refused)
    assert take_pubacks(PUBACKS, position, taken, refused) == len(PUBACKS)

    assert (taken, refused) == ([1, 2, 65_535], [256])


def test_another_packet_ends_the_run() -> None:
    taken: list[int] = []

    assert take_pubacks(b"\x40\x02\x00\x01\xd0\x00", 0, taken, []) == 4
    assert taken == [1]
