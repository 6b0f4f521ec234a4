"""Bytes from an MQTT broker -> lists of messages: every PUBLISH that one read brought, in one list.

It is not a client: packets other than PUBLISH go whole to `on_packet` (paho handles them), and nothing here knows a
socket. Order holds: messages that came before such a packet are handed over before it.
MQTT 3.1.1 and 5 differ in one place, the property section, which is handed over undecoded: that costs paho 12 us a
message, and a device's sections are mostly empty or all the same (property_headers.py).
"""

from collections.abc import Callable

from bridge.errors import MqttProtocolError

# (packet id as its two bytes, or b"" at QoS 0; topic; payload; first byte of the packet with its flags; the properties of
# MQTT 5 as they came). A plain tuple: at 100,000 a second a class with names costs as much as all the parsing.
Message = tuple[bytes, bytes, bytes, int, bytes]

DUP = 0x08
RETAIN = 0x01
_PUBLISH = 0x30
QOS = 0x06
_QOS_1 = 0x02

# Nothing but PUBLISH is long; a SUBACK for 1,000 filters has 1,002 bytes.
_MAX_CONTROL_BYTES = 64 * 1024
# Fixed header (5), topic with its length (2 + 65,535), packet id (2): what is needed to acknowledge a message unread.
_HEAD_BYTES = 5 + 2 + 65_535 + 2


class PublishParser:
    """Cut a byte stream into messages; hold at most one incomplete packet of at most `max_bytes`."""

    def __init__(
        self,
        *,
        mqtt5: bool,
        max_bytes: int,
        on_messages: Callable[[list[Message]], None],
        on_packet: Callable[[int, bytes], bool],
        on_too_large: Callable[[bytes, int], None],
    ) -> None:
        """Take the callbacks.

        `on_packet(first byte, rest)` says whether to go on. `on_too_large(topic, bytes)` reports a PUBLISH above
        `max_bytes`: its payload is skipped as it comes and it is handed over with an empty topic, to be acknowledged only.
        """
        self._mqtt5 = mqtt5
        self._max_bytes = max_bytes
        self._on_messages = on_messages
        self._on_packet = on_packet
        self._on_too_large = on_too_large
        self._rest = b""
        self._skip = 0

    def reset(self) -> None:
        """Forget what a former connection left."""
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:  # noqa: C901, PLR0912, PLR0915 - a call for each packet would cost as much again
        """Parse `data`, hand over what is complete, keep the rest; raise MqttProtocolError for what is not MQTT."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        buf = self._rest + data if self._rest else data
        have = len(buf)
        at = 0
        burst: list[Message] = []
        append = burst.append
        mqtt5 = self._mqtt5
        properties = b""
        max_bytes = self._max_bytes
        while have - at >= 2:
            first = buf[at]
            length = buf[at + 1]
            body = at + 2
            if length & 0x80:
                if body < have and buf[body] < 0x80:  # two digits, 128 to 16,383 bytes: most messages
                    length += (buf[body] - 1) << 7
                    body += 1
                else:
                    length, body = _long_length(buf, body, length)
                    if not body:
                        break
            end = body + length
            if first & 0xF0 == _PUBLISH:
                if length > max_bytes:
                    if have < min(end, at + _HEAD_BYTES):
                        break
                    append(self._acknowledge_only(buf, first, body, length))
                    self._skip = max(0, end - have)
                    at = min(end, have)
                    continue
                if end > have:
                    break
                topic = body + 2
                topic_end = topic + (buf[body] << 8 | buf[body + 1]) if length > 2 else end + 1
                qos = first & QOS
                payload = topic_end + 2 if qos else topic_end
                if mqtt5 and payload < end:
                    if buf[payload]:
                        start, payload = _property_section(buf, payload)
                        properties = buf[start:payload]
                    else:
                        payload += 1
                        properties = b""
                if payload > end or qos > _QOS_1:
                    raise MqttProtocolError(_bad_publish(first))
                mid = buf[topic_end : topic_end + 2] if qos else b""
                append((mid, buf[topic:topic_end], buf[payload:end], first, properties))
                at = end
                continue
            if length > _MAX_CONTROL_BYTES:
                raise MqttProtocolError(f"a packet of type {first >> 4} with {length} bytes")
            if end > have:
                break
            if burst:
                self._on_messages(burst)
                burst = []
                append = burst.append
            at = end
            if not self._on_packet(first, buf[body:end]):
                self.reset()
                return
        self._rest = buf[at:] if at else buf
        if burst:
            self._on_messages(burst)

    def _acknowledge_only(self, buf: bytes, first: int, body: int, length: int) -> Message:
        topic_end = body + 2 + (buf[body] << 8 | buf[body + 1])
        self._on_too_large(buf[body + 2 : topic_end], length)
        return (buf[topic_end : topic_end + 2] if first & QOS else b"", b"", b"", first, b"")


def _bad_publish(first: int) -> str:
    if first & QOS > _QOS_1:
        return "a PUBLISH at QoS 2 or 3, though the subscription asks for QoS 1"
    return "a PUBLISH whose lengths do not fit its packet"


def _long_length(buf: bytes, at: int, first_digit: int) -> tuple[int, int]:
    """Return (remaining length, where the body begins); (0, 0) while its digits are incomplete (MQTT 3.1.1, 2.2.3)."""
    length = first_digit & 0x7F
    shift = 7
    while True:
        if at >= len(buf):
            return 0, 0
        digit = buf[at]
        at += 1
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            return length, at
        shift += 7
        if shift > 21:
            raise MqttProtocolError("a remaining length of more than four bytes")


def _property_section(buf: bytes, at: int) -> tuple[int, int]:
    """Return where a property section and the payload behind it begin (MQTT 5, 3.3.2.3)."""
    length = buf[at]
    at += 1
    if length & 0x80:
        length, at = _long_length(buf, at, length)
        if not at:
            raise MqttProtocolError("a property length that its packet does not hold")
    return at, at + length
