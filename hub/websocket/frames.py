"""The frames of RFC 6455, section 5: what is written, and the rules about the payload of a Close.

How frames are read is in `parser`.
"""

import os
import struct
from enum import Enum
from typing import NamedTuple

# Tornado's C function: 0.06 ns a byte, 80 ns a call. numpy is as fast for large payloads and 1.3 us a call.
from tornado.util import _websocket_mask as apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80

# Close codes that the protocol itself asks for (section 7.4.1).
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
NO_CODE = 1005  # never sent: it stands for a Close without a code

MAX_CONTROL_BYTES = 125
SHORT = struct.Struct("!H")
LONG = struct.Struct("!Q")


class Role(Enum):
    """Which side of the connection we are. Clients mask what they send, servers must not (section 5.1)."""

    SERVER = "server"
    CLIENT = "client"


class WebSocketViolation(Exception):  # noqa: N818 - the RFC's word is violation
    """How the peer broke the RFC, with the close code that answers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class Message(NamedTuple):
    """A complete data message, or a control frame; `opcode` says which."""

    opcode: int
    payload: bytes


def frame_header(opcode: int, length: int) -> bytes:
    """Return the header of a whole, unmasked frame, as a server sends it."""
    if length < 126:
        return bytes((FIN | opcode, length))
    if length < 65_536:
        return struct.pack("!BBH", FIN | opcode, 126, length)
    return struct.pack("!BBQ", FIN | opcode, 127, length)


def server_frame(opcode: int, payload: bytes) -> bytes:
    """Encode a whole frame as a server sends it."""
    return frame_header(opcode, len(payload)) + payload


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Encode a whole frame as a client sends it, masked with a new key that nobody can predict (section 5.3)."""
    length, key = len(payload), os.urandom(4)
    if length < 126:
        head = bytes((FIN | opcode, MASKED | length))
    elif length < 65_536:
        head = struct.pack("!BBH", FIN | opcode, MASKED | 126, length)
    else:
        head = struct.pack("!BBQ", FIN | opcode, MASKED | 127, length)
    return b"%b%b%b" % (head, key, apply_mask(key, payload))


def close_payload(code: int | None, reason: str = "") -> bytes:
    """Encode the payload of a Close; a reason that is too long is cut between characters."""
    if code is None or code == NO_CODE:
        return b""
    text = reason.encode()[: MAX_CONTROL_BYTES - SHORT.size]
    return SHORT.pack(code) + text.decode(errors="ignore").encode()


def read_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a Close that `check_close` accepted; `NO_CODE` where it has none."""
    if len(payload) < SHORT.size:
        return NO_CODE, ""
    return SHORT.unpack_from(payload)[0], payload[SHORT.size :].decode()


def check_close(payload: bytes) -> None:
    """Check the code and the reason of a Close (sections 5.5.1 and 7.4).

    Raises:
        WebSocketViolation: half a code, a code that may not be sent, a reason that is not UTF-8.
    """
    if not payload:
        return
    if len(payload) < SHORT.size:
        raise WebSocketViolation(PROTOCOL_ERROR, "a Close frame with half a code")
    code = SHORT.unpack_from(payload)[0]
    if not (1000 <= code <= 1014 and code not in {1004, NO_CODE, 1006}) and not 3000 <= code <= 4999:
        raise WebSocketViolation(PROTOCOL_ERROR, f"the close code {code} may not be sent")
    check_utf8(payload[SHORT.size :])


def check_utf8(payload: bytes) -> None:
    """Check a whole text (section 8.1).

    Raises:
        WebSocketViolation: it is not UTF-8.
    """
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise WebSocketViolation(INVALID_DATA, "a text message is not UTF-8") from None
