"""Reading WebSocket frames in bursts (RFC 6455, section 5), for both roles.

`feed` takes what the socket had and returns every message and control frame that is complete in it. It enforces what the
RFC asks for: masking as the role demands (5.1), reserved bits and opcodes (5.2), fragments with control frames between
them (5.4), control frames whole and short (5.5), close codes (7.4), UTF-8 of text, also across fragments (8.1). After an
error the parser is dead: `error` holds the close code and a reason, further input is discarded.
"""

import codecs

from tornado.util import _websocket_mask as apply_mask

from hub.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    INVALID_DATA,
    LONG,
    MASKED,
    MAX_CONTROL_BYTES,
    PONG,
    PROTOCOL_ERROR,
    SHORT,
    TEXT,
    TOO_BIG,
    Message,
    Role,
    WebSocketViolation,
    check_close,
    check_utf8,
)

_RESERVED, _OPCODE, _CONTROL = 0x70, 0x0F, 0x08
_RARE = 0x7C  # bits that no data frame may have set: reserved ones, control and unknown opcodes (but 3)
# A NamedTuple's own constructor costs three times as much, for every message.
_new_message = tuple.__new__
_NO_MASK = b"\0\0\0\0"
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")
# Many tiny fragments would cost far more memory than their bytes.
_MERGE_AT = 1_024


class FrameParser:
    """The reading side of one WebSocket."""

    __slots__ = ("_buffer", "_fragments", "_masked", "_need", "_opcode", "_size", "_utf8", "error", "max_message_bytes")

    def __init__(self, max_message_bytes: int, role: Role = Role.SERVER) -> None:
        """Read as `role`: what a server reads is masked, what a client reads is not."""
        self.max_message_bytes = max_message_bytes
        self.error: WebSocketViolation | None = None
        self._masked = MASKED if role is Role.SERVER else 0
        self._buffer: bytes | bytearray = b""
        self._need = 0  # bytes that the buffer must hold before it is worth a look
        self._fragments: list[bytes] | None = None
        self._opcode = 0  # of the fragmented message
        self._size = 0  # of its fragments so far
        self._utf8: codecs.IncrementalDecoder | None = None

    @property
    def kept_bytes(self) -> int:
        """Return what there is of a message that is not complete."""
        return len(self._buffer) + self._size

    @property
    def started(self) -> bool:
        """Whether a frame or a fragmented message has begun and is not complete."""
        return bool(self._buffer) or self._fragments is not None

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages and control frames that are complete."""
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

    def take_back(self, data: bytes) -> bytes:
        """Return the incomplete frame with `data` behind it, for a caller that reads it in another way.

        Amid the fragments of a message only `data` comes back, and belongs to `feed`.
        """
        if self._fragments is not None or not self._buffer:
            return data
        whole, self._buffer, self._need = bytes(self._buffer) + data, b"", 0
        return whole

    def _read(self, buffer: bytes, messages: list[Message]) -> int:
        position = 0
        size = len(buffer)
        masked = self._masked
        key = 4 if masked else 0  # bytes of the masking key
        while size - position >= 2:
            first = buffer[position]
            length = buffer[position + 1] ^ masked
            if length > 127:
                raise WebSocketViolation(
                    PROTOCOL_ERROR, "client frames must be masked" if masked else "server frames must not be masked"
                )
            start = position + 2 + key
            if length >= 126:
                start += 2 if length == 126 else 8
                if start - key > size:
                    break
                reader = SHORT if length == 126 else LONG
                length = reader.unpack_from(buffer, position + 2)[0]
            if first & _RARE or self._size + length > self.max_message_bytes:
                self._check_header(first, length)
            end = start + length
            if end > size:
                self._need = end - position
                return position
            payload = buffer[start:end]
            if masked:
                mask = buffer[start - 4 : start]
                if mask != _NO_MASK:
                    payload = apply_mask(mask, payload)
            position = end
            if first == FIN | TEXT and self._fragments is None:
                if not payload.isascii():
                    check_utf8(payload)
                messages.append(_new_message(Message, (TEXT, payload)))
            elif first == FIN | BINARY and self._fragments is None:
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
        if opcode & _CONTROL:
            if opcode > PONG:
                raise WebSocketViolation(PROTOCOL_ERROR, f"unknown opcode {opcode:#x}")
            if length > MAX_CONTROL_BYTES or not first & FIN:
                raise WebSocketViolation(PROTOCOL_ERROR, "control frames are whole and at most 125 bytes")
        elif self._size + length > self.max_message_bytes:
            raise WebSocketViolation(TOO_BIG, f"a message may have {self.max_message_bytes} bytes")

    def _other_frame(self, first: int, payload: bytes, messages: list[Message]) -> None:
        """Handle what is not a whole data message: control frames and fragments."""
        opcode = first & _OPCODE
        if opcode & _CONTROL:
            if opcode == CLOSE:
                check_close(payload)
            messages.append(Message(opcode, payload))
            return
        if opcode > BINARY:
            raise WebSocketViolation(PROTOCOL_ERROR, f"unknown opcode {opcode:#x}")
        final = bool(first & FIN)
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
            self._fragments = [b"".join(self._fragments)]
