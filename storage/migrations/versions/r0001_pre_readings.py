"""The first tables: devices, series, readings, texts, quarantine, rollups.

Before deployment of the first program; nothing exists that it could lock.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", INSTANT, nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("id", name="devices_pkey"),
        sa.UniqueConstraint("name", name="devices_name_key"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False, server_default=""),
        sa.Column("created", INSTANT, nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("id", name="series_pkey"),
        sa.UniqueConstraint("device_id", "metric", name="series_device_id_metric_key"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="series_device_id_fkey"),
        sa.CheckConstraint("kind IN ('number', 'text', 'bool')", name="series_kind_check"),
    )
    op.create_index("series_metric_idx", "series", ["metric"])
    for name, value in (("readings", sa.Double), ("readings_text", sa.Text)):
        op.create_table(
            name,
            sa.Column("series_id", sa.Integer, nullable=False),
            sa.Column("ts", INSTANT, nullable=False),
            sa.Column("value", value, nullable=False),
            sa.PrimaryKeyConstraint("series_id", "ts", name=f"{name}_pkey"),
            postgresql_partition_by="RANGE (ts)",
        )
    op.create_table(
        "quarantine",
        sa.Column("ts", INSTANT, nullable=False, comment="when the hub received it"),
        sa.Column("id", sa.Uuid, nullable=False, comment="made of the content: storing it again adds no row"),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("ts", "id", name="quarantine_pkey"),
        postgresql_partition_by="RANGE (ts)",
    )
    for name in ("rollup_minute", "rollup_hour"):
        op.create_table(
            name,
            sa.Column("series_id", sa.Integer, nullable=False),
            sa.Column("ts", INSTANT, nullable=False, comment="begin of the bucket"),
            sa.Column("count", sa.Integer, nullable=False),
            *(sa.Column(column, sa.Double, nullable=False) for column in ("sum", "min", "max", "first", "last")),
            sa.PrimaryKeyConstraint("series_id", "ts", name=f"{name}_pkey"),
            postgresql_partition_by="RANGE (ts)",
        )
    op.create_table(
        "rollup_state",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column(
            "rolled_to", INSTANT, nullable=False, comment="all buckets before it are rolled, dirty ones excepted"
        ),
        sa.PrimaryKeyConstraint("name", name="rollup_state_pkey"),
        comment="watermarks of the maintenance loop",
    )
    op.create_table(
        "rollup_dirty",
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("hour", INSTANT, nullable=False),
        sa.Column(
            "marks",
            sa.BigInteger,
            nullable=False,
            server_default="1",
            comment="raised by each mark, compared at removal",
        ),
        sa.PrimaryKeyConstraint("series_id", "hour", name="rollup_dirty_pkey"),
        comment="hours that got readings after they were rolled",
    )


def downgrade() -> None:
    for name in (
        "rollup_dirty",
        "rollup_state",
        "rollup_hour",
        "rollup_minute",
        "quarantine",
        "readings_text",
        "readings",
        "series",
        "devices",
    ):
        op.drop_table(name)
