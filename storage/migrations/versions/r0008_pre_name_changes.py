"""What was deleted and renamed, so that running hubs and what waits in spools follow; and what is left to remove.

Before deployment: the old program neither reads nor writes the tables, and is not to run beside a deletion.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "name_changes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", instant, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, comment="null: all of the device's"),
        sa.Column("from_ts", instant, comment="begin of a deletion; null: from the beginning"),
        sa.Column("to_ts", instant, comment="end of a deletion; null: to the end"),
        sa.Column("new_device", sa.Text, comment="the new name; null: deleted"),
        sa.Column("new_metric", sa.Text, comment="the new name; null: as it was"),
        comment="deletions and renamings, in their order",
    )
    op.create_table(
        "deleted_series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("deleted", instant, nullable=False, server_default=sa.text("now()")),
        comment="series that are gone, whose rows are not all removed yet",
    )


def downgrade() -> None:
    op.drop_table("deleted_series")
    op.drop_table("name_changes")
