"""The few CBOR items that devices write (RFC 8949): heads, texts, floats, truth values."""

import struct

from device_sim.message import Value

NAN = bytes.fromhex("f97e00")


def head(major: int, argument: int) -> bytes:
    """Return the head of an item: major type and argument in its shortest form (section 3)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for width, extra in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if argument < 1 << 8 * width:
            return bytes((major << 5 | extra,)) + argument.to_bytes(width)
    raise ValueError(f"{argument} does not fit 64 bits")


def integer(number: int) -> bytes:
    return head(0, number) if number >= 0 else head(1, -1 - number)


def text(string: str) -> bytes:
    octets = string.encode()
    return head(3, len(octets)) + octets


def array_of(count: int) -> bytes:
    return head(4, count)


def map_of(count: int) -> bytes:
    return head(5, count)


def number(value: float) -> bytes:
    """Return a float of 64 bits."""
    return b"\xfb" + struct.pack(">d", value)


def value(value: Value) -> bytes:
    """Return the item of a sensor's value."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    return text(value) if isinstance(value, str) else number(value)
