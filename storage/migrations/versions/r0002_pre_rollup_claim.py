"""The rollups' watermark in two parts: what the maintenance loop has claimed, and what it has finished.

Before deployment: the old program has no rollups and does not read the table. Locks it for a moment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rollup_state",
        sa.Column(
            "claimed_to",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("'1970-01-01 00:00:00+00'"),
            comment="writers mark the hours of readings before it as dirty",
        ),
    )
    op.execute(
        "INSERT INTO rollup_state (name, rolled_to) VALUES ('minute', '1970-01-01 00:00:00+00'),"
        " ('hour', '1970-01-01 00:00:00+00') ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    op.drop_column("rollup_state", "claimed_to")
