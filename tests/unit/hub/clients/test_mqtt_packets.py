"""PUBLISH and PUBACK packets, byte by byte (MQTT 3.1.1 and 5, sections 3.3 and 3.4)."""

import pytest

from hub.clients.mqtt_packets import content_type_property, puback_packets, publish_packet


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
    assert publish_packet(1, "t", b"x", properties=b"") == b"\x32\x07\x00\x01t\x00\x01\x00x"


def test_qos_0_has_no_message_id_and_retain_is_a_bit() -> None:
    assert publish_packet(0, "t", b"x", qos=0, retain=True) == b"\x31\x04\x00\x01tx"


def test_pubacks_are_one_piece_in_their_order() -> None:
    assert puback_packets([b"\0\2", b"\1\1"]) == b"\x40\x02\0\2\x40\x02\1\1"


def test_a_content_type_is_a_property_of_mqtt_5() -> None:
    packet = publish_packet(1, "t", b"x", properties=content_type_property("a/b"))

    assert packet == b"\x32\x0d\x00\x01t\x00\x01\x06\x03\x00\x03a/bx"
