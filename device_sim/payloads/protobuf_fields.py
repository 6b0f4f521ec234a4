"""The few protobuf fields that a Sparkplug device writes, by hand: varints, doubles, strings, messages.

https://protobuf.dev/programming-guides/encoding/: a field is its number and wire type in a varint, then the value.
"""

import struct

VARINT, FIXED_64, LENGTH = 0, 1, 2


def varint(number: int) -> bytes:
    """Write a number of up to 64 bits, seven bits an octet, the lowest first."""
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def tag(field: int, wire_type: int) -> bytes:
    return varint(field << 3 | wire_type)


def integer(field: int, number: int) -> bytes:
    return tag(field, VARINT) + varint(number)


def double(field: int, number: float) -> bytes:
    return tag(field, FIXED_64) + struct.pack("<d", number)


def octets(field: int, content: bytes) -> bytes:
    """Write a string, bytes or an embedded message."""
    return tag(field, LENGTH) + varint(len(content)) + content
