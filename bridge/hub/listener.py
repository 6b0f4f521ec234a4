"""stomp.py's voice: each call of its threads is passed to the event loop, with nothing done here.

An exception in a listener would close the connection. stomp.py looks the methods up by their names, and wants no base
class; tests/unit/bridge/test_stomp_contract.py holds them.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

_MAX_REASON_CHARS = 300


class ConnectionEvents(Protocol):
    """A connection, on the event loop; but `wait_without_limit`, which is called in stomp.py's thread."""

    def wait_without_limit(self) -> None:
        """The handshake is over."""

    def connected(self) -> None:
        """CONNECTED."""

    def receipt(self, ident: str) -> None:
        """RECEIPT."""

    def message(self, headers: dict[str, str], body: bytes) -> None:
        """MESSAGE."""

    def refused(self, reason: str, receipt: str) -> None:
        """ERROR, for the frame that asked for this receipt."""

    def ended(self, said: str) -> None:
        """The connection is over."""


class HubListener:
    """The listener of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: ConnectionEvents) -> None:
        self._loop = loop
        self._connection = connection

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        # The loop may be closed when the program ends before stomp.py's thread does.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def on_connected(self, _frame: Any) -> None:
        """Begin."""
        self._connection.wait_without_limit()
        self._tell(self._connection.connected)

    def on_receipt(self, frame: Any) -> None:
        """Pass the receipt's name on."""
        self._tell(self._connection.receipt, frame.headers.get("receipt-id", ""))

    def on_message(self, frame: Any) -> None:
        """Pass a command on."""
        self._tell(self._connection.message, dict(frame.headers), _octets(frame.body))

    def on_error(self, frame: Any) -> None:
        """Pass on, in one line, what the hub says against us."""
        said = (frame.headers.get("message", ""), _octets(frame.body).decode(errors="replace"))
        reason = ": ".join(" ".join(text.split()) for text in said if text) or "without a reason"
        receipt = frame.headers.get("receipt-id", "")
        self._tell(self._connection.refused, f"ERROR: {reason[:_MAX_REASON_CHARS]}", receipt)

    def on_disconnected(self) -> None:
        """End."""
        self._tell(self._connection.ended, "the connection was lost")

    def on_heartbeat_timeout(self) -> None:
        """End."""
        self._tell(self._connection.ended, "no heart-beat from the hub")


def _octets(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""
