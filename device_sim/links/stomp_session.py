"""One STOMP connection to the hub over WebSocket, kept alive by one thread. The only module that imports stomp.py.

What stomp.py does: the WebSocket, CONNECT, heart-beats, parsing. What it does not: connect again, limit how long a
receipt may take, or send without blocking the caller (reliability reference, S1 to S5). So each session has a thread
that connects, with jittered back-off, runs the owner's `work` while the connection stands, and starts over.

Rules: `work` runs on the session's thread and may block in `transmit`; `on_receipt` and `on_message` run on stomp.py's
reader thread and only note what came (an exception there would close the connection); nothing here touches asyncio.
"""

import random
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stomp
import structlog
from stomp.adapter.ws import WSStompConnection

from device_sim.links.address import Address
from device_sim.links.backoff import delays
from hub.stomp.dialects import V1_2
from hub.stomp.encoder import encode_frame
from hub.stomp.frames import SUBSCRIBE

HEARTBEAT_MS = 10_000
# Longer than the hub's heart-beat, so only a dead peer is silent for it; also the deadline of connect and of one write.
SOCKET_TIMEOUT_S = 30.0
CONNECTED_DEADLINE_S = 10.0
GOODBYE_S = 2.0

log = structlog.get_logger("device_sim.stomp")


def _ignore(_value: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What the owner wants to know; see the rules above for the threads."""

    work: Callable[["StompSession"], None]
    """Called after CONNECTED; returns when `session.lost` or `session.closing` is set."""
    on_receipt: Callable[[str], None] = _ignore
    on_message: Callable[[str], None] = _ignore
    """Gets the destination of each MESSAGE."""
    changed: Callable[[], None] = lambda: None
    """The connection was lost or is to be closed: `work` should look and return."""


class StompSession:
    """Start it once, close it once."""

    def __init__(self, address: Address, events: SessionEvents, name: str, ca: Path | None = None) -> None:
        self._address = address
        self._ca = ca
        self._events = events
        self._attempt = _Attempt(events)
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def lost(self) -> threading.Event:
        """Set when the connection that `work` was called for no longer stands."""
        return self._attempt.lost

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say DISCONNECT and end the thread; blocks for at most a few seconds."""
        self.closing.set()
        self._events.changed()
        self._thread.join(CONNECTED_DEADLINE_S + GOODBYE_S)

    def transmit(self, frames: bytes) -> None:
        """Send encoded frames as one WebSocket message; blocks while the hub does not read. A failure sets `lost`."""
        attempt = self._attempt
        try:
            attempt.connection.transport.send(frames)
        except Exception as error:  # noqa: BLE001 - task border: websocket and ssl raise many kinds, all mean "lost"
            attempt.problem = attempt.problem or str(error) or type(error).__name__
            attempt.lost.set()

    def subscribe(self, destination: str, receipt: str) -> None:
        """Subscribe on the connection that stands, as `sub-0`; `on_receipt` gets `receipt` when the hub has done it."""
        headers = [("destination", destination), ("id", "sub-0"), ("ack", "auto"), ("receipt", receipt)]
        self.transmit(encode_frame(SUBSCRIBE, headers, b"", V1_2))

    def _run(self) -> None:
        waits = delays(random.Random())
        while not self.closing.is_set():
            self._attempt = attempt = _Attempt(self._events)
            if attempt.connect(self._address, self._ca):
                waits = delays(random.Random())
                self._events.work(self)
            attempt.end()
            if not self.closing.is_set():
                delay_s = next(waits)
                log.warning("hub_lost", hub=str(self._address), problem=attempt.problem, retry_in_s=round(delay_s, 1))
                self.closing.wait(delay_s)


class _Attempt(stomp.ConnectionListener):  # type: ignore[misc]
    """One connection from CONNECT to its end; a late word from an old one cannot touch the next. `on_…`: reader thread."""

    connection: WSStompConnection

    def __init__(self, events: SessionEvents) -> None:
        self._events = events
        self._answered = threading.Event()
        self.lost = threading.Event()
        self.problem = ""

    def connect(self, address: Address, ca: Path | None) -> bool:
        """Return True once CONNECTED has come; else `problem` says what went wrong. `ca`: whom to trust with wss."""
        self.connection = WSStompConnection(
            [(address.host, address.port)],
            prefer_localhost=False,
            try_loopback_connect=False,
            reconnect_attempts_max=1,
            reconnect_sleep_initial=0.0,
            timeout=SOCKET_TIMEOUT_S,
            heartbeats=(HEARTBEAT_MS, HEARTBEAT_MS),
            vhost=address.host,
            ws_path=address.path,
            binary_mode=True,  # bodies are bytes; a text message would be checked for UTF-8 once more
        )
        if address.secure:
            where = [(address.host, address.port)]
            self.connection.set_ssl(
                where, ca_certs=None if ca is None else str(ca), ssl_version=ssl.PROTOCOL_TLS_CLIENT
            )
        self.connection.set_listener("session", self)
        try:
            self.connection.connect(address.username, address.password)
        except Exception as error:  # noqa: BLE001 - task border: any failure to connect is a reason to try again, said aloud
            self.problem = str(error) or f"cannot connect ({type(error).__name__})"
            return False
        self._answered.wait(CONNECTED_DEADLINE_S)
        if self._answered.is_set() and not self.lost.is_set():
            return True
        self.problem = self.problem or "no CONNECTED frame"
        return False

    def end(self) -> None:
        """Say DISCONNECT if somebody listens, and close the socket."""
        try:
            if self.connection.is_connected() and not self.lost.is_set():
                self.connection.disconnect()  # asks for a receipt; stomp.py closes the socket when it comes
                self.lost.wait(GOODBYE_S)
            self.connection.transport.disconnect_socket()
        except Exception as error:  # noqa: BLE001 - task border: the connection is being thrown away, whatever it says
            log.debug("hub_goodbye_failed", problem=str(error))

    def on_connected(self, _frame: Any) -> None:
        self._answered.set()

    def on_receipt(self, frame: Any) -> None:
        self._events.on_receipt(frame.headers["receipt-id"])

    def on_message(self, frame: Any) -> None:
        self._events.on_message(frame.headers["destination"])

    def on_error(self, frame: Any) -> None:
        self.problem = frame.headers.get("message", "ERROR frame")

    def on_disconnected(self) -> None:
        self.lost.set()
        self._answered.set()
        self._events.changed()
