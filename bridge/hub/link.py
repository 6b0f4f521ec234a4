"""The hub's side: one connection at a time, made again and again.

It is not the connection (connection.py): it says when to connect, how long to wait before that, and which connection
is the present one. Everything runs on the event loop; what blocks gets a thread.

A connection that brought no receipt counts as one that could not be made: the pauses keep growing. A hub that accepts
connections and refuses everything is asked less and less often.
"""

import asyncio
import contextlib
import time
from typing import Final, Protocol

import structlog

from bridge.attempts import opened, until_useful
from bridge.errors import HubUnreachableError
from bridge.hub.connection import BROKEN, FrameEvents, HubConnection
from bridge.hub.ending import Loss
from bridge.hub.frames import STATUS_RECEIPT, encode_status, encode_subscriptions
from bridge.observe import advice
from bridge.observe.status import LastError
from bridge.settings import BridgeSettings

_DISCONNECT_S: Final = 2.0

log = structlog.get_logger("bridge")


class HubEvents(FrameEvents, Protocol):
    """What the link reports to its owner, always on the event loop; none of it may raise."""

    def hub_connected(self) -> None:
        """CONNECTED: transactions may be sent."""

    def hub_lost(self, loss: Loss, reason: str) -> None:
        """The connection is gone: what has no receipt must be sent again."""


class HubLink:
    """Keep one connection to the hub, from `run` until `close`."""

    def __init__(self, settings: BridgeSettings, events: HubEvents) -> None:
        self._settings = settings
        self.events = events
        self.detail = "not connected yet"
        self.last_error: LastError | None = None
        self.takes_status = True
        self.takes_commands = bool(settings.commands)
        self._connection: HubConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether transactions may be sent."""
        return self._connection is not None

    async def run(self) -> None:
        """Connect, wait for the end, connect again; ends by cancellation."""
        while True:
            await until_useful(self._session, self._settings.reconnect_max_s, self._failed)

    async def _session(self) -> None:
        """Keep one connection from its beginning to its end; raise HubUnreachableError if nothing came of it."""
        connection = await self.connect()
        self.events.hub_connected()
        await connection.over.wait()
        self._connection = None
        ending = connection.ending
        log.warning("hub.lost", reason=ending.reason, loss=ending.loss.name)
        self._note(ending.reason)
        if ending.refused_aside:
            self._do_without(ending.refused_aside, ending.reason)
        self.events.hub_lost(ending.loss, ending.reason)
        await connection.finish()
        if not connection.receipts:
            raise HubUnreachableError(ending.reason)

    def _do_without(self, receipt: str, reason: str) -> None:
        """Stop sending what the hub refuses besides messages."""
        remedy = advice.of(reason, advice.HUB)
        if receipt == STATUS_RECEIPT:
            self.takes_status = False
            log.error("hub.status_refused", reason=reason, consequence="status reports stop", remedy=remedy)
        else:
            self.takes_commands = False
            log.error("hub.commands_refused", reason=reason, consequence="commands no longer go down", remedy=remedy)

    def _failed(self, reason: str) -> None:
        if reason != self.detail:  # once, not at each attempt
            remedy = advice.of(reason, advice.HUB)
            log.warning("hub.unreachable", hub=str(self._settings.hub), reason=reason, remedy=remedy)
        self._note(reason)

    def _note(self, reason: str) -> None:
        self.detail = reason
        self.last_error = LastError(reason, time.time_ns() // 1000)

    async def connect(self) -> HubConnection:
        """Connect once; raise HubUnreachableError."""
        connection = HubConnection(self._settings, self.events)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await opened(connection.open, lambda _: connection.abort())
                await connection.up
        except asyncio.CancelledError:
            await connection.finish()
            raise
        except (*BROKEN, TimeoutError, HubUnreachableError) as error:
            await connection.finish()
            timeout = f"no connection within {self._settings.connect_timeout_s:g} s"
            reason = timeout if isinstance(error, TimeoutError) else str(error) or "cannot connect"
            raise HubUnreachableError(reason) from error
        self._connection = connection
        self.detail = "connected"
        log.info("hub.connected", hub=str(self._settings.hub))
        return connection

    @property
    def subscribed(self) -> bool:
        """Whether commands arrive, if any are asked for."""
        connection = self._connection
        return not self.takes_commands or (
            connection is not None and connection.subscribed == len(self._settings.commands)
        )

    def subscribe(self) -> None:
        """Ask for commands, unless the hub has refused that."""
        if self.takes_commands:
            self.send(encode_subscriptions(self._settings.commands, self._settings.command_prefetch))

    def send(self, buffer: bytes) -> None:
        """Send a transaction or answers on the present connection; without one do nothing: it will be sent again."""
        if self._connection is not None:
            self._connection.sender.send(buffer)

    def send_status(self, destination: str, body: bytes) -> None:
        """Send a status report, unless transactions wait to be written or the hub has refused one."""
        if self._connection is not None and self.takes_status:
            self._connection.sender.send_aside(encode_status(destination, body))

    def reconnect(self, reason: str) -> None:
        """Drop the present connection."""
        if self._connection is not None:
            self._connection.end(reason)

    async def close(self) -> None:
        """DISCONNECT and wait, bounded, for the end; to be called after `run` was cancelled."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        await asyncio.to_thread(connection.disconnect)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCONNECT_S):
                await connection.over.wait()
        await connection.finish()
