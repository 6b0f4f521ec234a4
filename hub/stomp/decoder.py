"""Bytes into frames, as they arrive.

`FrameDecoder.feed` takes any piece of the stream and returns the frames that are complete. The same bytes give the same
frames however they are cut, each byte is looked at a bounded number of times, and no more than the limits is kept.
After a `FrameError` the decoder is dead: `error` holds it and further input is discarded.

Header blocks that come again (a device sends the same headers for each reading) are decoded once: `HeaderCache` keeps the
result by their bytes, bounded in bytes.
"""

import re

from hub.refusal import Reason
from hub.stomp.dialects import OPENING, Dialect
from hub.stomp.frames import CLIENT, MAX_COMMAND, SEND, Frame, FrameError, Head, Side
from hub.stomp.header_block import (
    CodecLimits,
    block_too_long,
    check_line,
    decode_block,
    decode_command,
    line_too_long,
    unknown_command,
)

# A decoded block weighs about ten times its bytes: 20 MiB for each dialect at the most.
MAX_CACHED_BYTES = 2_097_152
MAX_CACHED_BLOCK_BYTES = 512
MAX_CACHED_HEADERS = 16
# Between frames a peer may send line ends (heart-beats); NUL is tolerated too.
_GAP = re.compile(rb"[\n\0]*(?:\r\n[\n\0]*)*")
# The end of a header block: an empty line, or (in the 1.0 text's own DISCONNECT sample) a NUL where a header would begin.
_BLOCK_END = re.compile(rb"\n(?:\r?\n|\0)")
_NEEDS_CARE = re.compile(rb"[\r\0]")
_FIND_WINDOW = 2_048
# A NamedTuple's own constructor costs three times as much, for every frame.
_new_frame = tuple.__new__


class Blocks(dict[bytes, Head]):
    """Decoded header blocks by their bytes; emptied when full."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def keep(self, block: bytes, head: Head) -> None:
        """Remember one, unless it is of a kind that would cost much and hardly come again."""
        if len(block) > MAX_CACHED_BLOCK_BYTES or len(head.headers) > MAX_CACHED_HEADERS:
            return
        self.bytes += len(block)
        if self.bytes > MAX_CACHED_BYTES:
            self.clear()
            self.bytes = len(block)
        self[block] = head


class HeaderCache:
    """The blocks of each dialect: the same bytes mean different things in them."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[str, Blocks] = {}

    def of(self, dialect: Dialect) -> Blocks:
        """Return the cache of one dialect."""
        return self._blocks.setdefault(dialect.version, Blocks())


class FrameDecoder:
    """The reading side of one connection; `side` says whose frames they are."""

    __slots__ = (
        "_body_start",
        "_buffer",
        "_cache",
        "_caches",
        "_head",
        "_limits",
        "_receipt",
        "_scan",
        "_side",
        "dialect",
        "error",
        "started_anew",
    )

    def __init__(self, limits: CodecLimits, caches: HeaderCache, side: Side = CLIENT) -> None:
        self._side = side
        self.dialect = OPENING
        self.error: FrameError | None = None
        self.started_anew = False  # the frame that is not complete began in the last `feed`
        self._limits = limits
        self._caches = caches
        self._cache = caches.of(OPENING)
        self._buffer: bytes | bytearray = b""
        self._scan = 0  # neither a block end nor the NUL of an uncounted body begins before this offset
        self._head: Head | None = None  # of the frame whose body is not complete
        self._receipt: str | None = None  # of the same frame
        self._body_start = 0

    @property
    def started(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return len(self._buffer) > 0

    @property
    def kept_bytes(self) -> int:
        """Return what there is of that frame."""
        return len(self._buffer)

    def forget(self) -> None:
        """Drop what has come of a frame: nobody will read the rest."""
        self._buffer = b""
        self._head = None

    def use(self, dialect: Dialect) -> None:
        """Read what follows by the negotiated version."""
        self.dialect = dialect
        self._cache = self._caches.of(dialect)

    def hold(self, data: bytes) -> None:
        """Keep bytes for the next `feed`, unread: the version is not known yet."""
        self._buffer = bytes(self._buffer) + data

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes, return the complete frames.

        Before the version is known at most one frame is returned, as it decides how the rest is read: call again with no
        bytes after `use`. Check `error` afterwards.
        """
        frames: list[Frame] = []
        if self.error is not None:
            return frames
        buffer = data
        if self._buffer:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
            if self._head is not None and self._body_is_short(self._head, self._buffer):
                self.started_anew = False
                return frames
            # Slices of bytes are bytes; of the growing buffer each would be copied twice.
            buffer = bytes(self._buffer)
        try:
            consumed = self._read(buffer, frames)
        except FrameError as error:
            self.error = error
            self._buffer = b""
            return frames
        self._buffer = buffer[consumed:]
        self.started_anew = consumed > 0
        return frames

    def _body_is_short(self, head: Head, buffer: bytearray) -> bool:
        """Whether the body under way is not complete, without looking at a byte twice."""
        if head.content_length is not None:
            return len(buffer) <= self._body_start + head.content_length
        if buffer.find(0, max(self._body_start, self._scan)) >= 0:
            return False
        self._scan = len(buffer)
        return len(buffer) - self._body_start <= self._limits.body_bytes

    def _read(self, buffer: bytes, frames: list[Frame]) -> int:  # noqa: C901, PLR0912, PLR0915
        # One function on purpose: it is the hottest loop of the hub, a call per part doubles its cost.
        """Read frames from the start of the buffer; return how many bytes are done with."""
        position = 0
        size = len(buffer)
        limit = self._limits.body_bytes
        cache = self._cache
        opening = self.dialect is OPENING
        while True:
            head = self._head
            if head is None:
                if position < size and buffer[position] <= 13:
                    position = self._skip_gap(buffer, position)
                if position >= size:
                    self._scan = 0
                    return position
                end = buffer.find(b"\n\n", max(position, self._scan), position + _FIND_WINDOW)
                if end > 0:
                    block = buffer[position:end]
                    head = cache.get(block)
                    if head is None:
                        head, receipt = self._decode_with_receipt(block)
                    else:
                        receipt = head.receipt
                if head is not None:
                    body_start = end + 2
                else:
                    found = self._block_end(buffer, position)
                    if found is None:
                        return position
                    block_end, body_start, no_body = found
                    head = self._decode(buffer[position:block_end])
                    receipt = head.receipt
                    if no_body:
                        frames.append(Frame(head, b"", receipt))
                        position = body_start
                        self._scan = 0
                        if opening:
                            return position
                        continue
                self._scan = 0
            else:
                position, body_start, receipt = 0, self._body_start, self._receipt
            length = head.content_length
            if length is None:
                body_end = buffer.find(0, max(body_start, self._scan), body_start + limit + 1)
                if body_end < 0:
                    if size - body_start > limit:
                        raise self._body_too_big(head, receipt)
                    self._scan = size - position
                    return self._suspend(head, receipt, position, body_start)
            else:
                body_end = body_start + length
                if body_end >= size:
                    return self._suspend(head, receipt, position, body_start)
                if buffer[body_end] != 0:
                    raise FrameError(
                        Reason.BAD_CONTENT_LENGTH,
                        f"the byte after the {length} bytes of the {head.command} body is not NUL: "
                        "content-length does not match the body",
                        receipt=receipt,
                    )
            body = buffer[body_start:body_end]
            self._head = None
            self._scan = 0
            position = body_end + 1
            if body and head.command != SEND and head.command not in self._side.with_body:
                if body.strip(b"\r\n"):
                    raise FrameError(Reason.UNEXPECTED_BODY, f"{head.command} cannot have a body", receipt=receipt)
                body = b""
            frames.append(_new_frame(Frame, (head, body, receipt)))
            if opening:
                return position

    def _suspend(self, head: Head, receipt: str | None, position: int, body_start: int) -> int:
        """Keep the head while the body is on its way; the frame's bytes stay in the buffer from offset 0."""
        self._head = head
        self._receipt = receipt
        self._body_start = body_start - position
        return position

    def _skip_gap(self, buffer: bytes, position: int) -> int:
        match = _GAP.match(buffer, position)
        end = position if match is None else match.end()
        if end < len(buffer) and buffer[end] == 13 and end + 1 < len(buffer):
            raise FrameError(Reason.BAD_FRAME, "a carriage return that is not part of a line end stands between frames")
        if end == len(buffer) - 1 and buffer[end] == 13:
            return end  # the LF of this CR is still on its way
        return end

    def _block_end(self, buffer: bytes, position: int) -> tuple[int, int, bool] | None:
        """Find the end of the header block: its offset, that of what follows, and whether NUL ended it.

        None while it is incomplete; the limits are checked on what is there.
        """
        limit = self._limits.header_block_bytes
        match = _BLOCK_END.search(buffer, max(position, self._scan), position + limit + 3)
        if match is None:
            self._check_partial(buffer, position)
            self._scan = max(0, len(buffer) - position - 2)
            return None
        return match.start(), match.end(), buffer[match.end() - 1] == 0

    def _check_partial(self, buffer: bytes, position: int) -> None:
        """Refuse by size while a header block arrives, so that nothing oversized is ever kept.

        `decode_block` checks the same in the same order: what is wrong does not depend on how the stream was cut.
        """
        size = len(buffer) - position
        limits = self._limits
        first_line = buffer.find(b"\n", position, position + MAX_COMMAND + 2)
        if first_line < 0:
            if size > MAX_COMMAND + 1:
                raise unknown_command(buffer[position : position + MAX_COMMAND])
            return
        decode_command(buffer[position:first_line], self._side)
        # Two bytes more: the line end before the empty line, and a CR of that one.
        if size > limits.header_block_bytes + 2:
            for line in buffer[position : position + limits.header_block_bytes + 2].split(b"\n"):
                check_line(line, limits)
            raise block_too_long(limits)
        last_line = buffer.rfind(b"\n", max(position, len(buffer) - limits.header_line_bytes - 2))
        if last_line < 0:
            raise line_too_long(limits)

    def _decode(self, block: bytes) -> Head:
        """Turn a header block into a Head, and remember it if it may come again."""
        head = decode_block(block, self.dialect, self._limits, self._side)
        length = head.content_length
        if length is not None and length > self._limits.body_bytes:
            raise self._body_too_big(head, head.receipt)
        if self._side.cached and self.dialect is not OPENING and not _NEEDS_CARE.search(block):
            self._cache.keep(block, head)
        return head

    def _decode_with_receipt(self, block: bytes) -> tuple[Head | None, str | None]:
        """Decode a block that is new; when only the receipt of a SEND is new, the rest may be in the cache.

        Returns no head if the block ends earlier than it seems (line ends with CR, or a NUL).
        """
        if _NEEDS_CARE.search(block):
            return None, None
        at = block.find(b"\nreceipt:")
        if at > 0 and block.startswith(b"SEND\n") and len(block) <= MAX_CACHED_BLOCK_BYTES:
            end = block.find(b"\n", at + 1)
            line = block[at + 9 :] if end < 0 else block[at + 9 : end]
            # Escapes, spaces and colons have rules of their own; receipts seldom have any.
            if line.isalnum() or line.replace(b"-", b"").isalnum():
                rest = block[:at] if end < 0 else block[:at] + block[end:]
                try:
                    return self._cache.get(rest) or self._decode(rest), line.decode()
                except FrameError as error:
                    error.receipt = line.decode()
                    raise
        head = self._decode(block)
        return head, head.receipt

    def _body_too_big(self, head: Head, receipt: str | None) -> FrameError:
        return FrameError(
            Reason.BODY_TOO_LARGE,
            f"the body of a {head.command} is larger than the limit of {self._limits.body_bytes} bytes",
            receipt=receipt,
        )
