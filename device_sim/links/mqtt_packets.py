"""PUBLISH into octets and PUBACKs out of them (MQTT 3.1.1 and 5, sections 3.3 and 3.4); no I/O, no paho.

A fleet sends one packet a system call, so a packet is put together with as few steps as Python allows: the topic's octets
are remembered, as a device sends to the same one all its life.
"""

from functools import lru_cache

PUBLISH = 0x30
QOS1 = 0x02
RETAIN = 0x01
DUP = 0x08
PUBACK = 0x40
FIRST_FAILURE = 0x80
"""Reason codes from here on say that the message was not taken (MQTT 5, section 2.4)."""
MOST_TOPICS = 100_000

_topics: dict[str, bytes] = {}


def publish_packet(
    mid: int, topic: str, payload: bytes, *, again: bool = False, qos: int = 1, retain: bool = False, v5: bool = False
) -> bytes:
    """Encode one PUBLISH; `again` sets DUP, `v5` adds an empty list of properties. QoS 0 has no message id."""
    name = _topics.get(topic) or _remember(topic)
    first = PUBLISH | (QOS1 if qos else 0) | (RETAIN if retain else 0) | (DUP if again else 0)
    properties = b"\0" if v5 else b""
    rest = len(name) + len(properties) + len(payload)
    if qos:
        return b"".join((_fixed_header(first, rest + 2), name, mid.to_bytes(2, "big"), properties, payload))
    return b"".join((_fixed_header(first, rest), name, properties, payload))


@lru_cache(maxsize=4_096)
def _fixed_header(first: int, rest: int) -> bytes:
    """Encode the first octet and a length: seven bits an octet, the eighth says that more follow (section 2.2.3)."""
    head = bytearray((first,))
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        head.append(digit | 0x80 if rest else digit)
        if not rest:
            return bytes(head)


def take_pubacks(data: bytes, position: int, taken: list[int], refused: list[int]) -> int:
    """Note the message ids of the whole PUBACKs that begin at `position`; return where the first other packet begins.

    A PUBACK of MQTT 5 may carry a reason code and properties after the message id: `refused` gets those with a failure.
    """
    last = len(data) - 4
    while position <= last and data[position] == PUBACK:
        length = data[position + 1]
        mid = data[position + 2] << 8 | data[position + 3]
        if length == 2:
            taken.append(mid)
            position += 4
            continue
        if length > 127 or length < 2 or position + 2 + length > len(data):
            break  # torn, or of a length that paho may make sense of
        (refused if data[position + 4] >= FIRST_FAILURE else taken).append(mid)
        position += 2 + length
    return position


def _remember(topic: str) -> bytes:
    octets = topic.encode()
    name = len(octets).to_bytes(2, "big") + octets
    if len(_topics) >= MOST_TOPICS:
        _topics.clear()
    _topics[topic] = name
    return name
