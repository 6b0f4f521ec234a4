"""Connections: one async engine, and the one place that lends a raw asyncpg connection for COPY.

Rules: each call has a deadline (asyncpg has none by default), on both sides of the connection, so that a black-holed
server costs `statement_timeout_s` and not for ever. `synchronous_commit` is set to on whatever the role's default:
our receipts promise it. The address is parsed by asyncpg, so everything it knows works: sockets, sslmode, several hosts.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import DatabaseSettingsError
from storage.settings import StorageSettings

EMBEDDED: Final = "embedded"

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


def checked_url(database_url: str) -> str:
    """Return the URL as asyncpg takes it; raises DatabaseSettingsError."""
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise DatabaseSettingsError("this is not a URL") from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise DatabaseSettingsError(f"the scheme {url.drivername!r} is not supported")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(database_url: str, settings: StorageSettings, connections: int = 5) -> AsyncEngine:
    """Return an engine of at most `connections` on `database_url`; nothing is connected yet."""
    dsn = checked_url(database_url)
    timeout_ms = str(int(settings.statement_timeout_s * 1000))

    async def connect() -> RawConnection:
        return await asyncpg.connect(
            dsn,
            timeout=settings.connect_timeout_s,
            command_timeout=settings.statement_timeout_s,
            server_settings={
                "application_name": "telemetry-hub",
                "synchronous_commit": "on",
                "timezone": "UTC",
                "statement_timeout": timeout_ms,
                "idle_in_transaction_session_timeout": timeout_ms,
            },
        )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=settings.connect_timeout_s + settings.statement_timeout_s,
    )


@asynccontextmanager
async def lend(engine: AsyncEngine) -> AsyncIterator[RawConnection]:
    """Lend an asyncpg connection; after an error it is thrown away at once, because nobody knows its state.

    Connections that died while they were idle (a restarted server) are replaced.
    """
    async with engine.connect() as connection:
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
