"""Connections: how one is opened, the engines that keep them, and the one place that lends a raw one for COPY.

Rules: each call has a deadline (asyncpg has none by default), on both sides of the connection, so that a black-holed
server costs `statement_timeout_s` and not for ever. `synchronous_commit` is set to on whatever the role's default: our
receipts promise it. What a session needs is set by a statement after the login and not with it: poolers refuse most
parameters of a login.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias
from weakref import WeakSet

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.address import Address, Host, parse_address
from storage.diagnosis import cause_of
from storage.errors import DatabaseSettingsError
from storage.passwords import read_password
from storage.settings import StorageSettings

EMBEDDED: Final = "embedded"
CLOSE_S: Final = 0.5
CANCEL_AGAIN_S: Final = 0.2
AT_LOGIN: Final = frozenset({"application_name", "options"})
"""Settings that travel with the login: poolers know the first, the second has no other way."""

RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DATABASE_AWAY: Final = (
    OSError,  # refused, reset, no such socket; TimeoutError is one of its kind
    asyncpg.PostgresError,  # whatever is left when the caller has taken out what is about data
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PoolTimeoutError,
)
"""What a call raises when the server, and not the data, is the reason."""
NEXT_HOST: Final = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""After these another of several hosts may do better; a refused password is refused by the next one, too."""


class Connector:
    """Opens connections to one database, and knows those that are open.

    Raises DatabaseSettingsError at once for what cannot be an address.
    """

    def __init__(
        self, database_url: str, settings: StorageSettings, refused: Callable[[int], None] | None = None
    ) -> None:
        """Take the address; `refused` is told how many are open when the server allows no more."""
        self._settings = settings
        self._refused = refused
        self._opened: WeakSet[RawConnection] = WeakSet()
        self.address = parse_address(database_url)
        if settings.password_file is not None and self.address.password is not None:
            raise DatabaseSettingsError("the password stands in the URL and in storage.password_file: leave one out")

    @property
    def open_connections(self) -> int:
        return sum(not connection.is_closed() for connection in self._opened)

    async def close(self) -> None:
        """Close all connections at once; those that do not answer are cut off."""
        await asyncio.gather(*(close(connection) for connection in self._opened))

    def engine(self, connections: int) -> AsyncEngine:
        """Return an engine of at most so many connections; nothing is connected yet."""
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self.open,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=self._settings.connect_timeout_s + self._settings.statement_timeout_s,
        )

    async def open(self) -> RawConnection:
        """Open a connection whose session is set up as ours."""
        try:
            connection = await self.open_plain()
        except asyncpg.TooManyConnectionsError:
            if self._refused is not None and (count := self.open_connections):
                self._refused(count)
            raise
        try:
            await connection.execute(_session(self.address, self._settings))
        except BaseException:
            connection.terminate()
            raise
        self._opened.add(connection)
        return connection

    async def open_plain(self) -> RawConnection:
        """Open a connection and leave its session as the server made it."""
        address = self.address
        error: BaseException | None = None
        targets = ("standby", "any") if address.target == "prefer-standby" else (address.target,)
        for target in targets:
            for host in address.hosts or (None,):
                try:
                    return await self._open_on(host, target)
                except NEXT_HOST as refusal:
                    error = error or refusal
        assert error is not None  # noqa: S101 - there was at least one attempt
        raise error

    async def _open_on(self, host: Host | None, target: str) -> RawConnection:
        # One at a time: the driver's deadline is for all hosts together, and the first black hole would use it up.
        address = self.address
        await asyncio.to_thread(address.check_files, host)
        password = await asyncio.to_thread(read_password, address, host, self._settings.password_file)
        at_login = {name: value for name, value in address.server_settings.items() if name in AT_LOGIN}
        return await asyncpg.connect(
            address.dsn,
            host=host.name if host else None,
            port=host.port if host else None,
            user=address.user,
            password=password,
            database=address.database,
            ssl=address.tls(),
            target_session_attrs=SessionAttribute(target),
            timeout=address.connect_timeout_s or self._settings.connect_timeout_s,
            command_timeout=self._settings.statement_timeout_s,
            server_settings={"application_name": "telemetry-hub"} | at_login,
        )


async def close(connection: RawConnection) -> None:
    """Close a connection orderly if the server answers at once, and cut it off if not."""
    try:
        await connection.close(timeout=CLOSE_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pass  # it is cut off all the same
    finally:
        connection.terminate()


def _session(address: Address, settings: StorageSettings) -> str:
    """Return the statement that sets up a session; ours go before those of the URL."""
    timeout_ms = str(int(settings.statement_timeout_s * 1000))
    theirs = {name: value for name, value in address.server_settings.items() if name not in AT_LOGIN}
    wanted: Mapping[str, str] = theirs | {
        "synchronous_commit": "on",
        "timezone": "UTC",
        "statement_timeout": timeout_ms,
        "idle_in_transaction_session_timeout": timeout_ms,
    }
    return "SELECT " + ", ".join(
        f"set_config({_literal(name)}, {_literal(value)}, false)" for name, value in wanted.items()
    )


def _literal(text: str) -> str:
    # An escape string is read alike whatever standard_conforming_strings says.
    return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def make_engine(database_url: str, settings: StorageSettings, connections: int = 5) -> AsyncEngine:
    """Return an engine of at most `connections` on `database_url`; nothing is connected yet."""
    return Connector(database_url, settings).engine(connections)


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks that use connections, until all have ended.

    A cancellation may be lost: where it meets a connection that is being cut off, the driver's error takes its place,
    and the task takes that for an outage and goes on.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCEL_AGAIN_S)


@asynccontextmanager
async def lend(engine: AsyncEngine) -> AsyncIterator[RawConnection]:
    """Lend an asyncpg connection; after an error it is thrown away at once, because nobody knows its state.

    Connections that died while they were idle (a restarted server) are replaced.
    """
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except DBAPIError as error:
            raise cause_of(error) from error
        raw = await _raw(connection)
        while raw.is_closed():
            await connection.invalidate()
            raw = await _raw(connection)
        try:
            yield raw
        except BaseException:
            raw.terminate()
            await connection.invalidate()
            raise


async def _raw(connection: AsyncConnection) -> RawConnection:
    raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, asyncpg.Connection)  # noqa: S101 - the engine is made above, on asyncpg
    return raw
