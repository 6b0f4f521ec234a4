"""Settings of the storage package: read once by the hub, validated, passed down frozen."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class StorageSettings(BaseModel):
    """Where readings rest and how they are gathered on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        default="embedded", repr=False, description='postgresql://user:password@host:5432/database, or "embedded"'
    )
    password_file: Path | None = Field(
        default=None,
        description="file with the password of database_url, read at each connection; keeps it out of process lists",
    )
    flush_rows: int = Field(default=5_000, ge=1, le=100_000, description="a batch is written at this many readings")
    flush_age_s: float = Field(default=0.05, ge=0.0, le=10.0, description="or when its oldest reading is this old, s")
    writers: int = Field(default=2, ge=1, le=16, description="connections that write, so flushes in flight")
    pending_rows: int = Field(
        default=200_000, ge=1_000, description="readings held in memory before publishers are held back"
    )
    pending_bytes: int = Field(
        default=64 << 20, ge=1 << 20, description="the same bound for texts and quarantined payloads, in bytes"
    )
    series_cached: int = Field(default=500_000, ge=1_000, description="series whose id is remembered in memory")
    partition_width: timedelta = Field(
        default=timedelta(days=1), ge=timedelta(hours=1), le=timedelta(days=366), description="time one leaf holds"
    )
    partitions_ahead: int = Field(default=2, ge=1, le=60, description="leaves made ahead of time")
    partitions_a_batch: int = Field(
        default=500, ge=1, description="leaves that one batch may make; readings beyond them go to quarantine"
    )
    set_aside_s: float = Field(
        default=300.0,
        ge=0.0,
        description="how long readings wait for a partition that fails (locked, full); then they go to quarantine, s",
    )
    keep_readings: timedelta | None = Field(
        default=None, ge=timedelta(hours=1), description="age at which readings and texts are dropped; none: never"
    )
    keep_minutes: timedelta | None = Field(
        default=None, ge=timedelta(days=1), description="age at which minute rollups are dropped; none: never"
    )
    keep_hours: timedelta | None = Field(
        default=None, ge=timedelta(days=1), description="age at which hour rollups are dropped; none: never"
    )
    quarantine_bytes: int = Field(
        default=1 << 30,
        ge=1 << 20,
        description="size of the quarantine on the database's disk; beyond it payloads are counted, not kept",
    )
    keep_quarantine: timedelta | None = Field(
        default=timedelta(days=30), ge=timedelta(days=1), description="age at which quarantined payloads are dropped"
    )
    maintenance_every_s: float = Field(
        default=20.0, gt=0, description="time between rounds of rollups, partitions and retention, s"
    )
    rollup_delay_s: float = Field(
        default=30.0, ge=20.0, description="how long a minute is left open for readings under way, s"
    )
    same_time: Literal["first", "last"] = Field(
        default="first",
        description="which value stays when a series gets two of one time: the one stored first, or last",
    )
    spool_bytes: int = Field(
        default=1 << 30, ge=0, description="size of the local spool used while Postgres is away, in compressed bytes"
    )
    spool_after_s: float = Field(
        default=1.0, ge=0.0, description="how long a fresh outage may last before batches go to the spool, s"
    )
    write_timeout_s: float = Field(default=5.0, gt=0, description="deadline of one flush, s; then it is spooled")
    connect_timeout_s: float = Field(default=5.0, gt=0, description="to open a connection, s")
    statement_timeout_s: float = Field(default=15.0, gt=0, description="deadline of each other database call, s")
    query_connections: int = Field(default=5, ge=1, le=50, description="connections for queries and maintenance")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.rollup_delay_s <= self.write_timeout_s:
            raise PydanticCustomError(
                "conflict",
                "storage.rollup_delay_s ({delay}) is not above storage.write_timeout_s ({timeout}): a minute would be rolled"
                " up while its readings are still being written",
                {"delay": self.rollup_delay_s, "timeout": self.write_timeout_s},
            )
        return self
