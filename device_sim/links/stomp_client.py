"""The client's side of a STOMP 1.2 session, over plain TCP or WebSocket, without I/O: for thousands of connections.

`opening` returns the first bytes; `receive` takes what the socket had and returns what happened; `answers` are bytes to
send back. Frames are decoded by the hub's own codec. What comes by the hundred thousand, MESSAGEs, is only cut apart: a
dashboard counts them all and reads a few.

Rules: one MESSAGE is the bytes of one frame without its NUL, as it came. A stream that is not cut where it seems (a NUL
within a body) is read by the decoder from its first byte on: slower, never wrong.
"""

import re
from typing import Final, NamedTuple

from device_sim.links.identity import StompIdentity
from hub.stomp.decoder import FrameDecoder, HeaderCache
from hub.stomp.dialects import OPENING, V1_2
from hub.stomp.encoder import encode_frame
from hub.stomp.frames import CONNECT, CONNECTED, DISCONNECT, ERROR, MESSAGE, SERVER, Frame, FrameError
from hub.stomp.header_block import CodecLimits
from hub.stomp.heartbeat import BEAT, Heartbeat, Pulse, parse_heart_beat
from hub.websocket.client import WebSocketClient
from hub.websocket.frames import BINARY, TEXT, client_frame

LIMITS: Final = CodecLimits(body_bytes=16_777_216)
MAX_MESSAGE_BYTES: Final = LIMITS.body_bytes + 65_536  # and its headers
_MESSAGE: Final = b"MESSAGE\n"
_RECEIPT: Final = b"RECEIPT\nreceipt-id:"
_WHOLE: Final = re.compile(rb"(\x81(?:~..|[\x00-\x7d])MESSAGE\n[^\0]*\0[\r\n]*)", re.DOTALL)
_EOLS: Final = b"\r\n"
"""They may follow a frame's NUL (STOMP 1.2, "Augmented BNF"); RabbitMQ sends one in the same WebSocket message."""
MAX_DETAIL_BYTES: Final = 200
"""Of an ERROR's body that is repeated: RabbitMQ's `message` says "Bad CONNECT", and the body why."""
LONG: Final = 126
"""A frame of 126 to 65,535 bytes has its length in the next two (RFC 6455, section 5.2)."""
_CACHES: Final = HeaderCache()  # frames of a server are not cached (frames.SERVER): one empty cache for all


class Received(NamedTuple):
    """What one read brought."""

    connected: bool
    """CONNECTED was among it."""
    receipts: list[str]
    messages: list[bytes]
    problem: str
    """Why the session is over: an ERROR, a Close, bytes that are not STOMP; "" while it goes on."""


class StompClient:
    """One session on one connection; a new connection needs a new one."""

    __slots__ = ("_buffer", "_decoder", "_heartbeat", "_identity", "_problem", "_websocket", "answers", "connected")

    def __init__(self, identity: StompIdentity) -> None:
        self._identity = identity
        address = identity.address
        self._websocket: WebSocketClient | None = None
        if address.web_socket:
            self._websocket = WebSocketClient(address.authority, address.path, ("v12.stomp",), MAX_MESSAGE_BYTES)
        self._decoder: FrameDecoder | None = FrameDecoder(LIMITS, _CACHES, SERVER)
        self._heartbeat: Heartbeat | None = None
        self._buffer = b""  # of a TCP stream: the beginning of a frame
        self._problem = ""
        self.connected = False
        self.answers: list[bytes] = []

    def opening(self) -> bytes:
        """Encode what a connection begins with: the WebSocket's upgrade, or CONNECT itself."""
        return self._connect() if self._websocket is None else self._websocket.request

    def wrap(self, frames: bytes) -> bytes:
        """Put frames into what travels: as they are, or as one WebSocket message."""
        if self._websocket is None:
            return frames
        return client_frame(TEXT if frames.isascii() else BINARY, frames)

    def disconnect(self) -> bytes:
        """Encode DISCONNECT."""
        return self.wrap(encode_frame(DISCONNECT, [], b"", V1_2))

    def receive(self, data: bytes, now: float) -> Received:
        """Take bytes; `now` is monotonic."""
        if self._heartbeat is not None:
            self._heartbeat.last_received = now
        was_connected = self.connected
        receipts: list[str] = []
        messages: list[bytes] = []
        try:
            if self._websocket is None:
                self._take_stream(data, receipts, messages, now)
            else:
                was_open = self._websocket.open
                if self._decoder is None:
                    data = self._websocket.take_back(data)
                    cut, end = cut_messages(data)
                    messages += cut
                    data = data[end:]
                payloads = self._websocket.receive(data)
                if not was_open and self._websocket.open:
                    self.answers.append(self.wrap(self._connect()))
                for payload in payloads:
                    self._take_payload(payload, receipts, messages, now)
                if self._websocket.answers:
                    self.answers += self._websocket.answers
                    self._websocket.answers.clear()
                self._problem = self._problem or self._websocket.ended
        except FrameError as error:
            self._problem = self._problem or f"not STOMP: {error}"
        return Received(self.connected and not was_connected, receipts, messages, self._problem)

    def deadline(self) -> float | None:
        """Return the next time at which `beat` has something to do."""
        return None if self._heartbeat is None else self._heartbeat.deadline()

    def wrote(self, now: float) -> None:
        """Note that bytes were sent: the next heart-beat can wait."""
        if self._heartbeat is not None:
            self._heartbeat.last_sent = now

    def beat(self, now: float) -> bytes | None:
        """Return the heart-beat to send if one is due, else nothing; None when the peer is dead."""
        pulse = Pulse.NOTHING if self._heartbeat is None else self._heartbeat.poll(now)
        if pulse is Pulse.DEAD:
            return None
        return self.wrap(BEAT) if pulse is Pulse.BEAT else b""

    def _connect(self) -> bytes:
        identity = self._identity
        headers = [("accept-version", "1.2"), ("host", identity.vhost or identity.address.host)]
        headers.append(("heart-beat", f"{identity.heart_beat_ms},{identity.heart_beat_ms}"))
        if identity.login is not None:
            headers += [("login", identity.login), ("passcode", identity.passcode or "")]
        return encode_frame(CONNECT, headers, b"", OPENING)

    def _take_payload(self, payload: bytes, receipts: list[str], messages: list[bytes], now: float) -> None:
        """Take one WebSocket message: nearly always one whole frame."""
        if self._decoder is None:
            end = payload.find(b"\0")
            whole = end == len(payload) - 1 or (end >= 0 and not payload[end + 1 :].strip(_EOLS))
            if whole and payload.startswith(_MESSAGE):
                messages.append(payload[:end])
                return
            if whole and payload.startswith(_RECEIPT):
                receipts.append(_receipt_id(payload[:end]))
                return
            if payload == BEAT:
                return
        self._decode(payload, receipts, messages, now)

    def _take_stream(self, data: bytes, receipts: list[str], messages: list[bytes], now: float) -> None:
        """Take bytes of a TCP stream: cut at each NUL, while the pieces look as they should."""
        if self._decoder is None:
            *pieces, rest = (self._buffer + data if self._buffer else data).split(b"\0")
            self._buffer = b""
            for number, piece in enumerate(pieces):
                frame = piece.lstrip(b"\r\n")
                if frame.startswith(_MESSAGE) and _is_whole(frame):
                    messages.append(frame)
                elif frame.startswith(_RECEIPT):
                    receipts.append(_receipt_id(frame))
                else:
                    data = b"\0".join((*pieces[number:], rest))
                    break
            else:
                self._buffer = rest.lstrip(b"\r\n")
                return
        self._decode(data, receipts, messages, now)

    def _decode(self, data: bytes, receipts: list[str], messages: list[bytes], now: float) -> None:
        decoder = self._decoding
        frames = decoder.feed(data)
        while frames:
            for frame in frames:
                self._take_frame(frame, receipts, messages, now)
            frames = []
            if decoder.dialect is OPENING and self.connected:
                decoder.use(V1_2)
                frames = decoder.feed(b"")
        if decoder.error is not None:
            raise decoder.error
        if self.connected and not decoder.started:
            self._decoder = None

    def _take_frame(self, frame: Frame, receipts: list[str], messages: list[bytes], now: float) -> None:
        command, headers = frame.command, frame.headers
        if command == CONNECTED:
            self.connected = True
            ours = (self._identity.heart_beat_ms, self._identity.heart_beat_ms)
            self._heartbeat = Heartbeat(parse_heart_beat(headers.get("heart-beat")), ours, now)
        elif command == MESSAGE:
            messages.append(encode_frame(MESSAGE, list(headers.items()), frame.body, V1_2)[:-1])
        elif command == ERROR:
            detail = frame.body[:MAX_DETAIL_BYTES].decode("utf-8", "replace").strip().partition("\n")[0]
            reason = f"ERROR: {headers.get('message', '')}" + (f" ({detail})" if detail else "")
            self._problem = self._problem or reason
        else:
            receipts.append(headers.get("receipt-id", ""))

    @property
    def _decoding(self) -> FrameDecoder:
        if self._decoder is None:
            self._decoder = FrameDecoder(LIMITS, _CACHES, SERVER)
            self._decoder.use(V1_2)
        return self._decoder


def cut_messages(data: bytes) -> tuple[list[bytes], int]:
    """Cut the MESSAGEs, each a text message of one WebSocket frame, off the beginning; return where they end, too.

    A regular expression does it at a fifth of the price of reading header after header. Where a NUL stands within a body,
    the next frame does not begin right behind it: then nothing is cut, and the parsers go the long way. The last has no
    next one: it is cut only where its length says that it ends.
    """
    whole: list[bytes] = _WHOLE.findall(data)
    if whole and not _fills_its_frame(whole[-1]):
        whole.pop()
    joined = b"".join(whole)
    if not data.startswith(joined):
        return [], 0
    return [one[4:-1] if one[1] == LONG and not one[-1] else _unframed(one) for one in whole], len(joined)


def _unframed(one: bytes) -> bytes:
    """Return the MESSAGE of a short frame, or of one whose NUL is followed by an end of line."""
    return one[4 if one[1] == LONG else 2 : one.rindex(b"\0")]


def _fills_its_frame(one: bytes) -> bool:
    """Whether a WebSocket frame is as long as it says."""
    if one[1] == LONG:
        return len(one) - 4 == int.from_bytes(one[2:4], "big")
    return len(one) - 2 == one[1]


def _is_whole(frame: bytes) -> bool:
    """Whether a MESSAGE that was cut at a NUL ends there: that NUL may have been one of its body's."""
    body = frame.find(b"\n\n") + 2
    at = frame.find(b"\ncontent-length:", 0, body)
    length = frame[at + 16 : frame.find(b"\n", at + 1)]
    return body >= 2 and (at < 0 or (length.isdigit() and int(length) == len(frame) - body))


def _receipt_id(frame: bytes) -> str:
    return frame[len(_RECEIPT) : frame.find(b"\n", len(_RECEIPT))].decode()
