"""Why a database cannot be used, in one line, and what its operator can do about it: pure, from the driver's errors.

Nothing here decides anything: what counts as "away" is `engine.DATABASE_AWAY`. Texts of the server are matched where one
SQLSTATE has several causes; a server that speaks another language gets the remedy that fits them all.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg
from sqlalchemy.exc import DBAPIError

from storage.errors import StorageError

LONGEST: Final = 300
URL: Final = "storage.database_url"
PROTOCOL: Final = f"Check the host, the port and the sslmode in {URL}: is it Postgres that listens there?"


class Diagnosis(NamedTuple):
    """What is wrong, and the remedy; no address and no password of ours in either."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}" if self.remedy else self.problem


class Cause(NamedTuple):
    """An error by its type and, where that is not enough, a part of its text."""

    error: type[BaseException] | tuple[type[BaseException], ...]
    text: str
    remedy: str


CAUSES: Final[Sequence[Cause]] = (
    Cause(asyncpg.InvalidPasswordError, "", f"Set the right user and password in {URL}, or storage.password_file."),
    Cause(
        asyncpg.InvalidAuthorizationSpecificationError,
        "does not exist",
        f"Create the role, or name another in {URL}.",
    ),
    Cause(
        asyncpg.InvalidAuthorizationSpecificationError,
        "not permitted to log in",
        "Allow it: ALTER ROLE … LOGIN.",
    ),
    Cause(
        asyncpg.InvalidAuthorizationSpecificationError,
        "pg_hba.conf",
        "Add a line for this user, database, address and sslmode to the server's pg_hba.conf, and reload it.",
    ),
    Cause(
        asyncpg.InvalidAuthorizationSpecificationError,
        "certificate",
        f"Name the client's certificate with sslcert and sslkey in {URL}.",
    ),
    Cause(
        asyncpg.InvalidAuthorizationSpecificationError,
        "",
        f"Check the user in {URL}, and the server's pg_hba.conf.",
    ),
    Cause(asyncpg.InvalidCatalogNameError, "", f"Create the database, or name another in {URL}."),
    Cause(
        asyncpg.ObjectNotInPrerequisiteStateError,
        "not currently accepting connections",
        "Allow them: ALTER DATABASE … ALLOW_CONNECTIONS true.",
    ),
    Cause(
        asyncpg.InsufficientPrivilegeError,
        "for database",
        "Grant it to the hub's role: GRANT CONNECT, TEMPORARY ON DATABASE ….",
    ),
    Cause(
        asyncpg.InsufficientPrivilegeError,
        "",
        "Run `telemetry-hub migrate` with a role that owns the tables, and grant the hub's role what it needs"
        " (docs/how-to/run-with-a-small-role.md).",
    ),
    Cause(
        asyncpg.TooManyConnectionsError,
        "",
        "Close other connections, or raise the limit of the role, the database or the server (max_connections).",
    ),
    Cause(asyncpg.CannotConnectNowError, "", "The hub goes on when the server has started."),
    Cause(
        asyncpg.ReadOnlySQLTransactionError,
        "",
        f"Name the primary in {URL} (several hosts with target_session_attrs=primary), or lift"
        " default_transaction_read_only.",
    ),
    Cause(
        asyncpg.UndefinedObjectError,
        "configuration parameter",
        f"Take this parameter out of {URL}: neither the driver nor the server knows it.",
    ),
    Cause(asyncpg.InvalidParameterValueError, "", f"Correct or leave out this parameter in {URL}."),
    Cause(
        asyncpg.ProtocolViolationError,
        "startup parameter",
        f"A pooler stands in between: leave this parameter out of {URL}, or let the pooler pass it"
        " (ignore_startup_parameters).",
    ),
    Cause(
        asyncpg.InvalidSchemaNameError,
        "",
        "Create the schema that search_path names, or let the hub's role use it: GRANT USAGE ON SCHEMA ….",
    ),
    Cause(
        asyncpg.TargetServerAttributeNotMatched,
        "",
        f"None of the hosts in {URL} is what its target_session_attrs asks for: add the one that is, or take it out.",
    ),
    Cause(asyncpg.DiskFullError, "", "Free space on the server's disk."),
    Cause(
        ssl.SSLCertVerificationError,
        "",
        f"Name the authority's certificate with sslrootcert in {URL}; for verify-full the host must stand in the"
        " server's certificate.",
    ),
    Cause(ssl.SSLError, "", f"Check the sslmode and the certificates in {URL}."),
    Cause(
        ConnectionError,
        "rejected SSL upgrade",
        f"Either the server has no TLS (switch it on there, or choose sslmode=prefer in {URL}), or it is not Postgres that"
        " listens there.",
    ),
    Cause(ConnectionError, "SSL exchange", PROTOCOL),
    Cause(ConnectionRefusedError, "", f"Start the server, or correct the host and the port in {URL}."),
    Cause(ConnectionResetError, "", PROTOCOL),
    Cause(socket.gaierror, "", f"Correct the host in {URL}, or the machine's name resolution."),
    Cause(
        FileNotFoundError,
        "",
        f"Correct the path of the socket's directory, or of the certificates, in {URL}; or start the server.",
    ),
    Cause(PermissionError, "", "Let the hub's user open the socket's directory and the files of certificates."),
    Cause(TimeoutError, "", f"Check the host and the port in {URL}, and firewalls on the way."),
    Cause(OSError, "Connect call failed", f"Start the server, or correct the host and the port in {URL}."),
    Cause(OSError, "unreachable", f"Check the host in {URL}, and the network on the way."),
    Cause(
        (asyncpg.ConnectionDoesNotExistError, asyncpg.InternalClientError, asyncpg.ProtocolError),
        "",
        PROTOCOL,
    ),
)


def cause_of(error: BaseException) -> BaseException:
    """Return the driver's error where SQLAlchemy has wrapped it."""
    while isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return error


def diagnose(error: BaseException) -> Diagnosis:
    """Return one line about the error; the first cause that fits names the remedy."""
    error = cause_of(error)
    if isinstance(error, StorageError):
        return Diagnosis(_line(str(error)), "")  # it says both
    text = str(error) or "no answer in time"
    for cause in CAUSES:
        if isinstance(error, cause.error) and cause.text in text:
            return Diagnosis(_line(f"{type(error).__name__}: {text}"), cause.remedy)
    return Diagnosis(_line(f"{type(error).__name__}: {text}"), "")


def _line(text: str) -> str:
    """Return the first line: what follows may repeat a statement."""
    return (text.splitlines() or [""])[0][:LONGEST].rstrip(": .")
