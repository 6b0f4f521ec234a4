"""A look at the server before the hub relies on it: its version, what stands in between, how many connections it allows.

A pooler that hands out its connections anew for each transaction forgets what a session holds: prepared statements,
temporary tables, settings, locks. Nothing of that fails loudly; it works until somebody else uses the pool. So it is
recognised and refused. How: the process number of the login is the pooler's and not the server's. Then two sessions are
asked whether they are two: one leaves a mark, and it must find it again, and the other must never see it.
"""

import secrets
from typing import Final, NamedTuple

import asyncpg

from storage.engine import Connector, RawConnection, close
from storage.errors import PoolerError, ServerTooOldError

OLDEST_SERVER: Final = 15
ROUNDS: Final = 10
STATEMENT_MODE: Final = "not allowed in statement pooling mode"
_FORGOTTEN: Final = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)


class Server(NamedTuple):
    """What was found; `room` is the number of further connections that are allowed just now, None without a limit."""

    version: int
    room: int | None


async def look(connector: Connector) -> Server:
    """Look at the server with connections that are closed again.

    Raises ServerTooOldError, PoolerError, or one of DATABASE_AWAY.
    """
    connection = await connector.open_plain()
    try:
        version = connection.get_server_version().major
        if version < OLDEST_SERVER:
            raise ServerTooOldError(version, OLDEST_SERVER)
        try:
            async with connection.transaction():
                (found,) = await connection.fetch(_ROOM)
            backend, room = found
            if backend != connection.get_server_pid() and await _forgets(connector, connection):
                raise PoolerError
        except _FORGOTTEN:
            raise PoolerError from None
        except asyncpg.PostgresError as error:
            if STATEMENT_MODE in str(error):
                raise PoolerError from None
            raise
    finally:
        # Waited for, so that its place is free for the next one where only one is allowed.
        await close(connection)
    return Server(version, room)


async def _forgets(connector: Connector, first: RawConnection) -> bool:
    """Whether sessions behind a pooler are not their own."""
    mark = secrets.token_hex(8)
    try:
        second = await connector.open_plain()
    except (asyncpg.TooManyConnectionsError, TimeoutError):
        return False  # a pool of one, held by us as long as we are connected
    try:
        await first.execute(f"SELECT set_config('telemetry_hub.mark', '{mark}', false)")
        for _ in range(ROUNDS):
            async with second.transaction():
                seen_by_second = await second.fetchval(_MARK)
                async with first.transaction():
                    seen_by_first = await first.fetchval(_MARK)
            if seen_by_first != mark or seen_by_second == mark:
                return True
    finally:
        await close(second)
    return False


_MARK: Final = "SELECT current_setting('telemetry_hub.mark', true)"
_ROOM: Final = """
    WITH limits AS (
        SELECT rolname, datname,
               CASE WHEN NOT rolsuper THEN nullif(rolconnlimit, -1) END AS of_role,
               CASE WHEN NOT rolsuper THEN nullif(datconnlimit, -1) END AS of_database,
               current_setting('max_connections')::int
                   - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int END
                   - CASE WHEN rolsuper THEN 0
                          ELSE coalesce(current_setting('reserved_connections', true)::int, 0) END AS of_server
          FROM pg_roles, pg_database
         WHERE rolname = session_user AND datname = current_database()
    ), used AS (
        SELECT count(*) FILTER (WHERE usename = session_user) AS by_role,
               count(*) FILTER (WHERE datname = current_database()) AS by_database,
               count(*) AS by_all
          FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    )
    SELECT pg_backend_pid(), least(of_role - by_role, of_database - by_database, of_server - by_all)::int
      FROM limits, used
"""
"""The server's pid of this session, and the room for our connections, this one included."""
