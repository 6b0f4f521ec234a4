"""The burst parser: whole, byte by byte, with a tail, and what is not MQTT."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clients.mqtt_parser import DUP, RETAIN, MqttProtocolError, PacketParser, Puback, Publish
from tests.support.scripted_broker import publish, varint

PINGRESP = b"\xd0\x00"


class Heard:
    """What a parser handed over, in order."""

    def __init__(self, *, mqtt5: bool = False, max_bytes: int = 1_000_000) -> None:
        self.events: list[Publish | tuple[int, bytes]] = []
        self.bursts: list[int] = []
        self.oversized: list[tuple[bytes, int]] = []
        self.acknowledged: list[Puback] = []
        self.parser = PacketParser(self, self._packet, mqtt5=mqtt5, max_bytes=max_bytes)

    def messages(self, burst: list[Publish]) -> None:
        self.bursts.append(len(burst))
        self.events += burst

    def too_large(self, topic: bytes, size: int) -> None:
        self.oversized.append((topic, size))

    def pubacks(self, pubacks: list[Puback]) -> None:
        self.acknowledged += pubacks

    def _packet(self, first: int, body: bytes) -> bool:
        self.events.append((first, body))
        return True


def mid(number: int) -> bytes:
    return number.to_bytes(2, "big")


def test_one_read_is_one_list() -> None:
    heard = Heard()
    heard.parser.feed(b"".join(publish("a/b", b"%d" % number, number) for number in range(1, 301)))

    assert heard.bursts == [300]
    assert heard.events[299] == (mid(300), b"a/b", b"300", 0x32, b"")


def test_flags_and_qos_0_are_told() -> None:
    heard = Heard()
    heard.parser.feed(publish("a", b"", 5, dup=True, retain=True) + publish("b", b"x"))

    assert heard.events == [(mid(5), b"a", b"", 0x32 | DUP | RETAIN, b""), (b"", b"b", b"x", 0x30, b"")]


def test_messages_before_another_packet_are_handed_over_before_it() -> None:
    heard = Heard()
    heard.parser.feed(publish("a", b"1", 1) + PINGRESP + publish("a", b"2", 2))

    assert heard.bursts == [1, 1]
    assert heard.events[1] == (0xD0, b"")


STREAM = publish("t/é", b"x" * 200, 1) + PINGRESP + publish("", b"", 2) + publish("q0", b"y")
STREAM += publish("z", b"w" * 17_000, 3)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_every_cut_gives_the_same_events(cuts: list[int]) -> None:
    whole, cut = Heard(), Heard()
    whole.parser.feed(STREAM)
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        cut.parser.feed(STREAM[start:end])

    assert cut.events == whole.events


def test_byte_by_byte_gives_the_same_events() -> None:
    whole, single = Heard(), Heard()
    whole.parser.feed(STREAM)
    for index in range(len(STREAM)):
        single.parser.feed(STREAM[index : index + 1])

    assert single.events == whole.events


@pytest.mark.parametrize("properties", [b"", b"\x01\x01", b"\x26" + b"\0\x40" + b"k" * 64 + b"\0\x64" + b"v" * 100])
def test_the_property_section_of_mqtt_5_is_handed_over_as_it_came(properties: bytes) -> None:
    heard = Heard(mqtt5=True)
    heard.parser.feed(publish("a", b"body", 1, properties=properties))

    assert heard.events == [(mid(1), b"a", b"body", 0x32, properties)]


def test_a_message_without_properties_has_none_of_the_one_before() -> None:
    heard = Heard(mqtt5=True)
    heard.parser.feed(publish("a", b"1", 1, properties=b"\x01\x01") + publish("a", b"2", 2, properties=b""))

    assert [event[-1] for event in heard.events] == [b"\x01\x01", b""]


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_message_above_the_limit_is_skipped_and_still_to_be_acknowledged(step: int) -> None:
    heard = Heard(max_bytes=100)
    stream = publish("a", b"1", 1) + publish("big", b"x" * 70_000, 2) + publish("a", b"3", 3)
    for start in range(0, len(stream), step):
        heard.parser.feed(stream[start : start + step])

    assert heard.events == [
        (mid(1), b"a", b"1", 0x32, b""),
        (mid(2), b"", b"", 0x32, b""),
        (mid(3), b"a", b"3", 0x32, b""),
    ]
    assert heard.oversized == [(b"big", 70_007)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x34\x05\0\x01aXX",  # QoS 2
        b"\x32\x04\0\x09ab",  # the topic is longer than the packet
        b"\x32\x03\0\x01a",  # no room for the packet id
        b"\x30\x00",  # no topic
        b"\x30\x80\x80\x80\x80\x01",  # five digits of length
        b"\x90" + varint(70_000),  # a SUBACK of 70 kB
    ],
)
def test_what_is_not_mqtt_is_refused(data: bytes) -> None:
    with pytest.raises(MqttProtocolError):
        Heard().parser.feed(data)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_messages_or_a_protocol_error(data: bytes, mqtt5: bool) -> None:
    heard = Heard(mqtt5=mqtt5)
    try:
        heard.parser.feed(data)
    except MqttProtocolError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


PUBACKS = b"\x40\x02\x00\x01\x40\x03\x00\x02\x10\x40\x04\x01\x00\x97\x00\x40\x02\xff\xff"


@pytest.mark.parametrize("cut", range(len(PUBACKS)))
def test_pubacks_are_taken_with_and_without_a_reason_however_they_are_cut(cut: int) -> None:
    heard = Heard(mqtt5=True)
    heard.parser.feed(PUBACKS[:cut])
    heard.parser.feed(PUBACKS[cut:])

    assert heard.acknowledged == [(1, 0), (2, 0x10), (256, 0x97), (65_535, 0)]
    assert not heard.parser.torn


def test_a_parser_says_whether_a_packet_is_torn() -> None:
    heard = Heard()
    heard.parser.feed(PUBACKS[:2])

    assert heard.parser.torn


def test_pubacks_are_handed_over_before_a_packet_that_came_after_them() -> None:
    order: list[str] = []

    class Events(Heard):
        def pubacks(self, pubacks: list[Puback]) -> None:
            order.append(f"{len(pubacks)} PUBACKs")

        def _packet(self, first: int, body: bytes) -> bool:
            order.append(f"packet {first:#x}")
            return super()._packet(first, body)

    Events().parser.feed(b"\x40\x02\0\1" + PINGRESP + b"\x40\x02\0\2")

    assert order == ["1 PUBACKs", "packet 0xd0", "1 PUBACKs"]
