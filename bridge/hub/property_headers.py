"""The properties of an MQTT 5 PUBLISH -> STOMP headers (MQTT 5, 3.3.2.3).

What becomes a header: the content type as `content-type`, user properties under their own names. What does not: names that
mean something to STOMP or the hub, repeats of a name (STOMP counts the first only), and what is beyond the limits below,
which keep a header block far inside the hub's. Those are dropped and counted, the message goes on. Response topic and
correlation data are requests between MQTT clients, and stay there.

A device sends the same properties with each message: they are decoded once, by their bytes. A section of which something
was dropped is decoded each time, so that each drop counts.
"""

from collections.abc import Iterator
from typing import Final

from hub.stomp.frames import CONSUMED, FORGEABLE, SECRETS

# The hub takes 100 headers, 8 KiB a line, 64 KiB a block; RabbitMQ and EMQX leave MQTT's own 64 KiB a property.
MAX_PROPERTIES: Final = 32
MAX_PROPERTY_BYTES: Final = 1_024
MAX_BYTES: Final = 32_768  # of a message's lines, escaped: a byte may become two
MAX_CACHED: Final = 10_000
RESERVED: Final = CONSUMED | FORGEABLE | SECRETS | {"content-type", "retained", "reply-to"}
REASONS: Final = ("reserved", "repeated", "too_long", "too_many", "malformed")

_CONTENT_TYPE: Final = 0x03
_USER: Final = 0x26
# Identifier -> how many bytes follow; the others that a PUBLISH may have begin with a length or are variable.
_FIXED: Final = {0x01: 1, 0x02: 4, 0x23: 2}
_RESPONSE_TOPIC: Final = 0x08
_CORRELATION_DATA: Final = 0x09
_SUBSCRIPTION: Final = 0x0B


class PropertyHeaders(dict[bytes, bytes]):
    """Property section -> header lines; bounded by starting anew."""

    def __init__(self) -> None:
        super().__init__({b"": b""})
        self.dropped = dict.fromkeys(REASONS, 0)

    def __missing__(self, section: bytes) -> bytes:
        """Decode one; never raises, since the broker has checked it and the message counts more."""
        before = sum(self.dropped.values())
        lines = self._lines(section)
        if sum(self.dropped.values()) == before and len(section) <= MAX_PROPERTY_BYTES:
            if len(self) >= MAX_CACHED:
                self.clear()
                self[b""] = b""
            self[section] = lines
        return lines

    def _lines(self, section: bytes) -> bytes:
        lines: dict[bytes, bytes] = {}
        size = 0
        try:
            for kind, name, value in _properties(section):
                reason = _refusal(kind, name, value)
                if name in lines:
                    reason = "repeated"
                line = b"" if reason else b"%b:%b\n" % (escape(name), escape(value))
                if not reason and (len(lines) >= MAX_PROPERTIES or size + len(line) > MAX_BYTES):
                    reason = "too_many"
                if reason:
                    self.dropped[reason] += 1
                else:
                    lines[name] = line
                    size += len(line)
        except (ValueError, IndexError):
            self.dropped["malformed"] += 1
        return b"".join(lines.values())


def escape(value: bytes) -> bytes:
    """Escape a header's name or value (STOMP 1.2, "Value Encoding")."""
    value = value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return value.replace(b"\r", b"\\r").replace(b":", b"\\c")


def _refusal(kind: int, name: bytes, value: bytes) -> str:
    if len(name) + len(value) > MAX_PROPERTY_BYTES:
        return "too_long"
    if not name or b"\0" in name or b"\0" in value or _not_utf8(name + value):
        return "malformed"
    if kind == _USER and name.decode().lower() in RESERVED:
        return "reserved"
    return ""


def _not_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


def _properties(section: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield kind, name and value of what can become a header."""
    at = 0
    while at < len(section):
        kind = section[at]
        at += 1
        if kind == _USER:
            name, at = _string(section, at)
            value, at = _string(section, at)
            yield kind, name, value
        elif kind == _CONTENT_TYPE:
            value, at = _string(section, at)
            yield kind, b"content-type", value
        elif kind in {_RESPONSE_TOPIC, _CORRELATION_DATA}:
            _, at = _string(section, at)
        elif kind == _SUBSCRIPTION:
            while section[at] & 0x80:
                at += 1
            at += 1
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise ValueError(kind)


def _string(section: bytes, at: int) -> tuple[bytes, int]:
    begin = at + 2
    end = begin + (section[at] << 8 | section[at + 1])
    if end > len(section):
        raise ValueError(end)
    return section[begin:end], end
