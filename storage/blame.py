"""What a failed call says: whose fault it was, and so who has to wait.

    AWAY    the server or the way to it      everybody waits, batches go to the spool
    ROWS    something that was sent          the guilty rows go to quarantine, all others are stored
    PLACE   a partition, a lock, a right     its rows wait in the spool, all others are stored

Decided by SQLSTATE (PostgreSQL manual, appendix A). What is not listed counts as PLACE: it costs its own rows time and
nobody else anything.
"""

from enum import Enum
from typing import Final

import asyncpg


class Blame(Enum):
    """Who has to wait for a failure to be mended."""

    AWAY = "away"
    ROWS = "rows"
    PLACE = "place"


class PlaceError(Exception):
    """A place fails where the same SQLSTATE elsewhere would mean that the database does."""


BAD_VALUES: Final = (ValueError, TypeError, ArithmeticError)
"""What Python raises, here or in the driver, for a value that cannot be encoded."""

_AWAY: Final = (
    "08",  # connection exception
    "25006",  # read-only transaction: a standby, or a server that protects itself
    "28",  # invalid authorization
    "3D",  # no such database
    "3F",  # no such schema
    "42P01",  # no such table: the database was emptied, and the schema has to be made again
    "53100",  # disk full; of a leaf in a tablespace of its own it is a PlaceError
    "53300",  # too many connections
    "57P",  # shutdown, crash, starting up, database dropped, idle session
    "F0",  # configuration file
)
_ROWS: Final = (
    "21",  # cardinality
    "22",  # data exception
    "23",  # integrity constraint
    "27",  # triggered data change
    "38",  # external routine: a trigger in another language
    "39",  # external routine invocation
    "44",  # WITH CHECK OPTION
    "54",  # program limit: an index row too large
    "P0",  # RAISE in a trigger
)


def blame(error: BaseException) -> Blame:
    """Return whose fault the failure of a call was."""
    if isinstance(error, BAD_VALUES):
        return Blame.ROWS
    if isinstance(error, PlaceError):
        return Blame.PLACE
    state = getattr(error, "sqlstate", None)
    if not isinstance(error, asyncpg.PostgresError) or not isinstance(state, str):
        return Blame.AWAY
    if state.startswith(_AWAY) or isinstance(error, asyncpg.InvalidCachedStatementError):
        return Blame.AWAY
    return Blame.ROWS if state.startswith(_ROWS) else Blame.PLACE


def told(error: BaseException) -> str:
    """Return the error in one line, for people."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
