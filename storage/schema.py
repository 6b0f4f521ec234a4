"""The tables. The migrations make them; a test holds both against each other.

Rules: readings carry no foreign key, trigger or volatile default, because each of them turns COPY into single inserts
(performance reference, section 5.2). A partitioned table's primary key contains its partition key. Leaves are made and
dropped at run time (`partitions`) and are not part of this metadata.

One series is one (device, metric, unit), whatever the type of its values: numbers and truth values rest in `readings`,
texts in `readings_text`, under the same series id. `series.kind` says which type came first. A unit never changes: another
unit is another series of the metric, and readings without a unit are a series of their own.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)

INSTANT: Final = DateTime(timezone=True)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created", INSTANT, nullable=False, server_default=text("now()")),
    Column("online", Boolean, comment="what an availability topic said last; null: none did"),
    Column("state", Text, comment="the word of the format for it"),
    Column("state_ts", INSTANT, comment="since when it is so"),
    UniqueConstraint("name"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("device_id", Integer, ForeignKey("devices.id"), nullable=False),
    Column("metric", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("unit", Text, nullable=False, server_default=""),
    Column("created", INSTANT, nullable=False, server_default=text("now()")),
    UniqueConstraint("device_id", "metric", "unit"),
    CheckConstraint("kind IN ('number', 'text', 'bool')", name="kind"),
    Index(None, "metric"),
)

readings = Table(
    "readings",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("ts", INSTANT, nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("series_id", "ts"),
    postgresql_partition_by="RANGE (ts)",
)

readings_text = Table(
    "readings_text",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("ts", INSTANT, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("series_id", "ts"),
    postgresql_partition_by="RANGE (ts)",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("ts", INSTANT, nullable=False, comment="when the hub received it"),
    Column("id", Uuid, nullable=False, comment="made of the content: storing it again adds no row"),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("content_type", Text, comment="as the sender named it; null: it did not"),
    Column(
        "origin", Text, nullable=False, server_default="bridge", comment="bridge, direct, or storage: a refused reading"
    ),
    Column("retained", Boolean, nullable=False, server_default="false", comment="an MQTT broker had kept it"),
    PrimaryKeyConstraint("ts", "id"),
    postgresql_partition_by="RANGE (ts)",
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("series_id", Integer, nullable=False),
        Column("ts", INSTANT, nullable=False, comment="begin of the bucket"),
        Column("count", Integer, nullable=False),
        Column("sum", Double, nullable=False),
        Column("min", Double, nullable=False),
        Column("max", Double, nullable=False),
        Column("first", Double, nullable=False),
        Column("last", Double, nullable=False),
        PrimaryKeyConstraint("series_id", "ts"),
        postgresql_partition_by="RANGE (ts)",
    )


rollup_minute = _rollup("rollup_minute")
rollup_hour = _rollup("rollup_hour")

rollup_state = Table(
    "rollup_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rolled_to", INSTANT, nullable=False, comment="all buckets before it are rolled, dirty ones excepted"),
    Column(
        "claimed_to",
        INSTANT,
        nullable=False,
        server_default=text("'1970-01-01 00:00:00+00'"),
        comment="writers mark the hours of readings before it as dirty",
    ),
    Column(
        "generation",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="raised before dirty hours are taken in hand: marks of an older one may be gone",
    ),
    comment="watermarks of the maintenance loop",
)

rollup_dirty = Table(
    "rollup_dirty",
    metadata,
    Column("series_id", Integer, nullable=False),
    Column("hour", INSTANT, nullable=False),
    Column("marks", BigInteger, nullable=False, server_default="1", comment="raised by each mark, compared at removal"),
    PrimaryKeyConstraint("series_id", "hour"),
    comment="hours that got readings after they were rolled",
)

retention_state = Table(
    "retention_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("dropped_to", INSTANT, nullable=False, comment="a leaf that ended here was dropped"),
    comment="how far retention is, for each partitioned table",
)

name_changes = Table(
    "name_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", INSTANT, nullable=False, server_default=text("clock_timestamp()")),
    Column("device", Text, nullable=False),
    Column("metric", Text, comment="null: all of the device's"),
    Column("from_ts", INSTANT, comment="begin of a deletion; null: from the beginning"),
    Column("to_ts", INSTANT, comment="end of a deletion; null: to the end"),
    Column("new_device", Text, comment="the new name; null: deleted"),
    Column("new_metric", Text, comment="the new name; null: as it was"),
    comment="deletions and renamings, in their order",
)

deleted_series = Table(
    "deleted_series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("deleted", INSTANT, nullable=False, server_default=text("now()")),
    comment="series that are gone, whose rows are not all removed yet",
)

PARTITIONED: Final = (readings, readings_text, quarantine, rollup_minute, rollup_hour)
