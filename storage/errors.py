"""Errors of the storage package.

    StorageError
    ├── EmbeddedPostgresError    the embedded server cannot be installed, started or stopped
    ├── DatabaseSettingsError    the database URL cannot be used
    ├── SchemaVersionError       the database holds a schema that this program does not know
    ├── ServerTooOldError        the server lacks what the hub needs
    ├── PoolerError              sessions do not hold what they were told
    ├── DataDirectoryError       the data directory cannot be used
    │   └── InUseError           another process has it
    ├── SpoolError               the spool file is full, or its disk refuses
    ├── StoreClosedError         a reading was offered after close()
    └── QueryError               a question that makes no sense
        ├── QueryTooWideError    a question for more than one answer may hold
        ├── UnknownSeriesError   no such device or metric
        └── DatabaseAwayError    nobody there to answer

For a reading, an unreachable database is no error: the store retries and says so in `health()`.
"""

from pathlib import Path


class StorageError(Exception):
    """Base of all errors that the storage package raises."""


class EmbeddedPostgresError(StorageError):
    """The embedded Postgres in `data_dir` failed; `advice` says what to do."""

    def __init__(self, data_dir: Path, problem: str, advice: str = "") -> None:
        super().__init__(data_dir, problem, advice)
        self.data_dir = data_dir
        self.problem = problem
        self.advice = advice

    def __str__(self) -> str:
        advice = f" {self.advice}" if self.advice else ""
        return f"embedded Postgres in {self.data_dir}: {self.problem}.{advice}"


class DatabaseSettingsError(StorageError):
    """`storage.database_url` cannot be used; the URL itself is not repeated because it may hold a password."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f'storage.database_url: {self.problem}; use "embedded" or postgresql://user:password@host:5432/database'


class SchemaVersionError(StorageError):
    """The database was migrated by a newer program."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(found, known)
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"the database's schema revision {self.found!r} is unknown to this program (its newest is {self.known!r}):"
            " install the version that migrated the database, or a newer one"
        )


class ServerTooOldError(StorageError):
    """The server is of a version that the hub does not support."""

    def __init__(self, found: int, oldest: int) -> None:
        super().__init__(found, oldest)
        self.found = found
        self.oldest = oldest

    def __str__(self) -> str:
        return f"the server is Postgres {self.found}, the hub needs {self.oldest} or newer: upgrade it, or use another"


class PoolerError(StorageError):
    """A pooler in transaction or statement mode stands between the hub and the database."""

    def __str__(self) -> str:
        return (
            "storage.database_url: a connection pooler in transaction mode stands before the database, and the hub needs"
            " sessions of its own (prepared statements, temporary tables, locks): name the server's own port, or a pool in"
            " session mode (PgBouncer: pool_mode = session)"
        )


class DataDirectoryError(StorageError):
    """The data directory cannot be used as it is."""

    def __init__(self, data_dir: Path, problem: str) -> None:
        super().__init__(data_dir, problem)
        self.data_dir = data_dir
        self.problem = problem

    def __str__(self) -> str:
        return f"data_dir {self.data_dir}: {self.problem}"


class InUseError(DataDirectoryError):
    """Another process has the data directory."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(data_dir, f"{who} is using it; stop that one, or choose another --data-dir")


class SpoolError(StorageError):
    """The spool cannot take or give a batch: it is full, or its disk refuses."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        if not self.path.parent.is_dir():
            return f"spool {self.path}: {self.problem}; its directory is not there: choose another data_dir"
        return f"spool {self.path}: {self.problem}; free space on its disk, or raise storage.spool_bytes"


class StoreClosedError(StorageError):
    """The store was closed before the readings were offered."""

    def __str__(self) -> str:
        return "the store is closed: readings offered after close() are not stored"


class QueryError(StorageError):
    """A question cannot be answered."""


class QueryTooWideError(QueryError):
    """A question asks for more than one answer may hold; `advice` says what would be allowed."""

    def __init__(self, what: str, asked: float, allowed: float, advice: str) -> None:
        super().__init__(what, asked, allowed, advice)
        self.what = what
        self.asked = asked
        self.allowed = allowed
        self.advice = advice

    def __str__(self) -> str:
        return f"too wide: {self.asked:,.0f} {self.what}, at most {self.allowed:,.0f} are allowed; {self.advice}"


class UnknownSeriesError(QueryError):
    """No reading was ever stored for this device and metric."""

    def __init__(self, device: str, metric: str) -> None:
        super().__init__(device, metric)
        self.device = device
        self.metric = metric

    def __str__(self) -> str:
        return f"no series: device {self.device!r}, metric {self.metric!r}"


class DatabaseAwayError(QueryError):
    """The database does not answer; readings are being spooled."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"the database is away: {self.problem}"
