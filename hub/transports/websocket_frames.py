"""Reading WebSocket frames in bursts (RFC 6455, section 5), without I/O.

`feed` takes what the socket had and gives every message and control frame that is complete in it. All that the RFC asks
of a server is enforced: masking (5.1), reserved bits and opcodes (5.2), fragments with control frames between them (5.4),
control frames whole and short (5.5), close codes (7.4), UTF-8 of text also across fragments (8.1). After an error the
parser is dead: `error` holds the close code and a reason, further input is discarded.
"""

import codecs
import struct
from typing import NamedTuple

from tornado.util import _websocket_mask as apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_RARE = 0x7C  # bits that no data frame may have set: reserved ones, control and unknown opcodes (but 3)
# A NamedTuple's own constructor costs three times as much, for every message.
_new_message = tuple.__new__
_NO_MASK = b"\0\0\0\0"
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
_SHORT = struct.Struct("!H")
_LONG = struct.Struct("!Q")
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class WebSocketViolation(Exception):  # noqa: N818 - the RFC's word is violation
    """What the peer did against the RFC, with the close code that answers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Message(NamedTuple):
    """A complete data message, or a control frame; `opcode` tells."""

    opcode: int
    payload: bytes


class FrameParser:
    """The reading side of one WebSocket."""

    __slots__ = ("_buffer", "_fragments", "_need", "_opcode", "_size", "_utf8", "error", "max_message_bytes")

    def __init__(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes
        self.error: WebSocketViolation | None = None
        self._buffer: bytes | bytearray = b""
        self._need = 0  # octets that the buffer must hold before it is worth a look
        self._fragments: list[bytes] | None = None
        self._opcode = 0  # of the fragmented message
        self._size = 0  # of its fragments so far
        self._utf8: codecs.IncrementalDecoder | None = None

    @property
    def started(self) -> bool:
        """Whether a frame or a fragmented message has begun and is not complete."""
        return bool(self._buffer) or self._fragments is not None

    def feed(self, data: bytes) -> list[Message]:
        """Take octets, give the complete messages and control frames."""
        messages: list[Message] = []
        if self.error is not None:
            return messages
        buffer = data
        if self._buffer:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
            if len(self._buffer) < self._need:
                return messages
            # Slices of bytes are bytes; of the growing buffer each would be copied twice.
            buffer = bytes(self._buffer)
        try:
            consumed = self._read(buffer, messages)
        except WebSocketViolation as violation:
            self.error = violation
            self._buffer = b""
            return messages
        self._buffer = buffer[consumed:]
        return messages

    def _read(self, buffer: bytes, messages: list[Message]) -> int:
        position = 0
        size = len(buffer)
        while size - position >= 2:
            first = buffer[position]
            length = buffer[position + 1] & _LENGTH
            if not buffer[position + 1] & _MASKED:
                raise WebSocketViolation(PROTOCOL_ERROR, "client frames must be masked")
            start = position + 6
            if length >= 126:
                start += 2 if length == 126 else 8
                if start - 4 > size:
                    break
                reader = _SHORT if length == 126 else _LONG
                length = reader.unpack_from(buffer, position + 2)[0]
            if first & _RARE or self._size + length > self.max_message_bytes:
                self._check_header(first, length)
            end = start + length
            if end > size:
                self._need = end - position
                return position
            payload = buffer[start:end]
            mask = buffer[start - 4 : start]
            if mask != _NO_MASK:
                payload = apply_mask(mask, payload)
            position = end
            if first == _FIN | TEXT and self._fragments is None:
                if not payload.isascii():
                    _check_utf8(payload)
                messages.append(_new_message(Message, (TEXT, payload)))
            elif first == _FIN | BINARY and self._fragments is None:
                messages.append(_new_message(Message, (BINARY, payload)))
            else:
                self._other_frame(first, payload, messages)
        self._need = 0
        return position

    def _check_header(self, first: int, length: int) -> None:
        """Refuse a frame by its header, before its payload is awaited."""
        opcode = first & _OPCODE
        if first & _RESERVED:
            raise WebSocketViolation(PROTOCOL_ERROR, "reserved bits are set, no extension was negotiated")
        if opcode & 0x8:
            if opcode > PONG:
                raise WebSocketViolation(PROTOCOL_ERROR, "unknown opcode")
            if length > 125 or not first & _FIN:
                raise WebSocketViolation(PROTOCOL_ERROR, "control frames are whole and at most 125 octets")
        elif self._size + length > self.max_message_bytes:
            raise WebSocketViolation(TOO_BIG, f"a message may have {self.max_message_bytes} octets")

    def _other_frame(self, first: int, payload: bytes, messages: list[Message]) -> None:
        """Handle what is not a whole data message: control frames and fragments."""
        opcode = first & _OPCODE
        if opcode & 0x8:
            if opcode == CLOSE:
                _check_close(payload)
            messages.append(Message(opcode, payload))
            return
        if opcode > BINARY:
            raise WebSocketViolation(PROTOCOL_ERROR, "unknown opcode")
        final = bool(first & _FIN)
        if opcode == CONTINUATION:
            if self._fragments is None:
                raise WebSocketViolation(PROTOCOL_ERROR, "a continuation without a beginning")
        else:
            if self._fragments is not None:
                raise WebSocketViolation(PROTOCOL_ERROR, "a new message before the last fragment of the one before")
            self._fragments = []
            self._opcode = opcode
            self._utf8 = _Utf8Decoder() if opcode == TEXT else None
        self._fragments.append(payload)
        self._size += len(payload)
        if self._utf8 is not None:
            try:
                self._utf8.decode(payload, final)
            except UnicodeDecodeError:
                raise WebSocketViolation(INVALID_DATA, "a text message is not UTF-8") from None
        if final:
            messages.append(Message(self._opcode, b"".join(self._fragments)))
            self._fragments, self._utf8, self._size = None, None, 0
        elif len(self._fragments) > _MERGE_AT:
            # Many tiny fragments would cost far more than their octets.
            self._fragments = [b"".join(self._fragments)]


_MERGE_AT = 1_024


def _check_utf8(payload: bytes) -> None:
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise WebSocketViolation(INVALID_DATA, "a text message is not UTF-8") from None


def _check_close(payload: bytes) -> None:
    """Check the code and the reason of a Close frame (RFC 6455, sections 5.5.1 and 7.4)."""
    if not payload:
        return
    if len(payload) == 1:
        raise WebSocketViolation(PROTOCOL_ERROR, "a Close frame with half a code")
    code = _SHORT.unpack_from(payload)[0]
    if not (1000 <= code <= 1014 and code not in {1004, 1005, 1006}) and not 3000 <= code <= 4999:
        raise WebSocketViolation(PROTOCOL_ERROR, "a close code that may not be sent")
    _check_utf8(payload[2:])


def frame_header(opcode: int, length: int) -> bytes:
    """Give the header of a whole, unmasked server frame."""
    if length < 126:
        return bytes((_FIN | opcode, length))
    if length < 65_536:
        return struct.pack("!BBH", _FIN | opcode, 126, length)
    return struct.pack("!BBQ", _FIN | opcode, 127, length)
