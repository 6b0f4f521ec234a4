"""PUBLISHes and PUBACKs into bytes (MQTT 3.1.1 and 5, sections 3.3 and 3.4); no I/O, no paho.

A fleet sends one packet a system call, so a packet is put together with as few steps as Python allows: the topic's bytes
are remembered, as a device sends to the same one all its life.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from hub.clients.mqtt_parser import DUP, PUBACK, PUBLISH, QOS_1, RETAIN

MAX_TOPICS: Final = 100_000
_PUBACK_HEAD: Final = bytes((PUBACK, 2))

_topics: dict[str, bytes] = {}


def publish_packet(
    mid: int,
    topic: str,
    payload: bytes,
    *,
    again: bool = False,
    qos: int = 1,
    retain: bool = False,
    properties: bytes | None = None,
) -> bytes:
    """Encode one PUBLISH; `again` sets DUP, `properties` (b"" for none) are MQTT 5's. QoS 0 has no packet id."""
    name = _topics.get(topic) or _remember(topic)
    first = PUBLISH | (QOS_1 if qos else 0) | (RETAIN if retain else 0) | (DUP if again else 0)
    section = b"" if properties is None else _length(len(properties)) + properties
    rest = len(name) + len(section) + len(payload)
    if qos:
        return b"".join((_fixed_header(first, rest + 2), name, mid.to_bytes(2, "big"), section, payload))
    return b"".join((_fixed_header(first, rest), name, section, payload))


@lru_cache(maxsize=4_096)
def _fixed_header(first: int, rest: int) -> bytes:
    return bytes((first,)) + _length(rest)


@lru_cache(maxsize=256)
def _length(number: int) -> bytes:
    """Encode a length: seven bits a byte, the eighth says that more follow (section 2.2.3)."""
    digits = bytearray()
    while True:
        number, digit = number >> 7, number & 0x7F
        digits.append(digit | 0x80 if number else digit)
        if not number:
            return bytes(digits)


def puback_packets(mids: Iterable[bytes]) -> bytes:
    """Encode one PUBACK for each packet id, in this order."""
    return b"".join([_PUBACK_HEAD + mid for mid in mids])


def content_type_property(value: str) -> bytes:
    """Encode a property section that has nothing but the content type (MQTT 5, 3.3.2.3.9), without its length."""
    text = value.encode()
    return b"\x03" + len(text).to_bytes(2, "big") + text


def _remember(topic: str) -> bytes:
    text = topic.encode()
    name = len(text).to_bytes(2, "big") + text
    if len(_topics) >= MAX_TOPICS:
        _topics.clear()
    _topics[topic] = name
    return name
