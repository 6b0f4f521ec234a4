"""The data of a WebSocket as one stream of bytes, for protocols whose packets need not fit frames: MQTT (3.1.1, section 6).

Read as a client. What a frame holds is handed over as it comes, so that one that is larger than all bounds costs no memory;
one read is one piece, however many frames are in it. The rules are those of `parser`; text frames are refused.
"""

from hub.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    LONG,
    MASKED,
    MAX_CONTROL_BYTES,
    PING,
    PONG,
    PROTOCOL_ERROR,
    SHORT,
    TEXT,
    WebSocketViolation,
    check_close,
)

NOT_ACCEPTABLE = 1003
_RESERVED, _OPCODE = 0x70, 0x0F


class StreamParser:
    """The reading side of one connection; holds at most an incomplete header or control frame."""

    __slots__ = ("_left", "_message", "_ping", "_rest", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._rest = b""
        self._left = 0  # bytes of the present data frame that have not come yet
        self._message = False  # amid the frames of one message
        self._ping: bytes | None = None

    def take_ping(self) -> bytes | None:
        """Return the payload of the newest unanswered ping; only that one needs an answer (section 5.5.3)."""
        ping, self._ping = self._ping, None
        return ping

    def feed(self, data: bytes) -> bytes:
        """Return the data that `data` brought.

        Raises:
            WebSocketViolation: what the RFC does not allow.
        """
        buf = self._rest + data if self._rest else data
        at = 0
        parts: list[bytes] = []
        while not self.closed:
            if self._left:
                part = buf[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
            head = _header(buf, at)
            if head is None:
                break
            opcode, final, length, body = head
            if opcode < CLOSE:
                self._begin(opcode, final=final)
                self._left = length
            elif len(buf) < body + length:
                break
            else:
                self._control(opcode, buf[body : body + length])
                body += length
            at = body
        self._rest = b"" if self.closed else buf[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _begin(self, opcode: int, *, final: bool) -> None:
        if (opcode == CONTINUATION) != self._message:
            raise WebSocketViolation(
                PROTOCOL_ERROR, "a message begins amid another, or a continuation has no beginning"
            )
        self._message = not final

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            check_close(payload)
            self.closed = True
        elif opcode == PING:
            self._ping = payload


def _header(buf: bytes, at: int) -> tuple[int, bool, int, int] | None:
    """Return opcode, whether the frame is its message's last, payload length, and where the payload begins (section 5.2).

    None while the header is incomplete.
    """
    if len(buf) - at < 2:
        return None
    first, length = buf[at], buf[at + 1]
    opcode, final = first & _OPCODE, bool(first & FIN)
    if first & _RESERVED or length & MASKED:
        raise WebSocketViolation(PROTOCOL_ERROR, "server frames must not be masked or have reserved bits")
    if opcode == TEXT:
        raise WebSocketViolation(NOT_ACCEPTABLE, "a text frame, where the protocol goes in binary ones")
    if opcode not in {CONTINUATION, BINARY, CLOSE, PING, PONG}:
        raise WebSocketViolation(PROTOCOL_ERROR, f"unknown opcode {opcode:#x}")
    if opcode >= CLOSE and (length > MAX_CONTROL_BYTES or not final):
        raise WebSocketViolation(PROTOCOL_ERROR, f"control frames are whole and at most {MAX_CONTROL_BYTES} bytes")
    body = at + 2
    reader = {126: SHORT, 127: LONG}.get(length)
    if reader is not None:
        body += reader.size
        if len(buf) < body:
            return None
        length = reader.unpack_from(buf, at + 2)[0]
    return opcode, final, length, body
