"""The command and headers of a frame, from bytes (STOMP 1.2, "Augmented BNF"; 1.0 and 1.1 by their dialect)."""

import re
from typing import NamedTuple

from hub.refusal import Reason, quoted
from hub.stomp.dialects import Dialect
from hub.stomp.escapes import unescape
from hub.stomp.frames import CLIENT, CONNECT, CONNECTED, MAX_COMMAND, STOMP, FrameError, Head, Side

_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


class CodecLimits(NamedTuple):
    """Bounds on one frame."""

    body_bytes: int = 1_048_576
    headers: int = 100
    header_line_bytes: int = 8_192
    header_block_bytes: int = 65_536


def decode_block(block: bytes, dialect: Dialect, limits: CodecLimits, side: Side = CLIENT) -> Head:
    """Decode command and headers, without the empty line that ends them.

    Raises:
        FrameError: not UTF-8, an unknown command, a line without colon, an undefined escape, a lone CR, or over a limit.
    """
    lines = block.split(b"\n")
    command = decode_command(lines[0], side)
    if len(block) > min(limits.header_line_bytes, limits.header_block_bytes):
        for line in lines:
            check_line(line, limits)
        if len(block) > limits.header_block_bytes:
            raise block_too_long(limits)
    if len(lines) - 1 > limits.headers:
        raise FrameError(Reason.TOO_MANY_HEADERS, f"more than {limits.headers} header lines")
    plain = command in {CONNECT, STOMP, CONNECTED} or not dialect.escapes
    headers: dict[str, str] = {}
    for line in lines[1:]:
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise FrameError(Reason.BAD_HEADER, f"a header of {command} is not UTF-8") from None
        name, colon, value = text.partition(":")
        if not colon:
            # Not quoted: it may be a passcode or a part of a payload.
            raise FrameError(Reason.BAD_HEADER, f"a header line of {command} has no colon")
        if not name:
            raise FrameError(Reason.BAD_HEADER, f"a header line of {command} has no name before its colon")
        if "\r" in text and dialect.lone_cr_is_error:
            raise FrameError(Reason.BAD_HEADER, f"a header of {command} contains a carriage return: write it as \\r")
        if "\0" in text:
            raise FrameError(Reason.BAD_HEADER, f"a header of {command} contains NUL")
        if "\\" in text and not plain:
            name, value = unescape(name, dialect), unescape(value, dialect)
        if dialect.trims_values:
            value = value.lstrip(" ")
        if name == "content-length" and headers.get(name, value) != value:
            raise FrameError(Reason.BAD_CONTENT_LENGTH, f"two different content-length headers on {command}")
        headers.setdefault(name, value)
    return Head(command, headers, _content_length(headers.get("content-length"), command), len(block))


def _content_length(text: str | None, command: str) -> int | None:
    if text is None:
        return None
    if _DIGITS.fullmatch(text.strip(" ")) is None:
        raise FrameError(Reason.BAD_CONTENT_LENGTH, f"content-length of {command} is not a number: {quoted(text)}")
    return int(text)


def decode_command(line: bytes, side: Side = CLIENT) -> str:
    raw = line.removesuffix(b"\r")
    command = raw.decode("latin-1")
    if command not in side.commands:
        raise unknown_command(raw)
    return command


def check_line(line: bytes, limits: CodecLimits) -> None:
    if len(line) > limits.header_line_bytes:
        raise line_too_long(limits)


def line_too_long(limits: CodecLimits) -> FrameError:
    return FrameError(Reason.HEADERS_TOO_LARGE, f"a header line is longer than {limits.header_line_bytes} bytes")


def block_too_long(limits: CodecLimits) -> FrameError:
    return FrameError(Reason.HEADERS_TOO_LARGE, f"more than {limits.header_block_bytes} bytes of headers")


def unknown_command(raw: bytes) -> FrameError:
    shown = quoted(raw[:MAX_COMMAND].decode("utf-8", "replace"))
    return FrameError(Reason.UNKNOWN_COMMAND, f"{shown} is not a command that a client may send")
