"""What retention has dropped: rollups of that time are final, their readings are gone.

Before deployment: a new table that the old program does not read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_state",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column(
            "dropped_to", sa.DateTime(timezone=True), nullable=False, comment="a leaf that ended here was dropped"
        ),
        sa.PrimaryKeyConstraint("name", name="retention_state_pkey"),
        comment="how far retention is, for each partitioned table",
    )


def downgrade() -> None:
    op.drop_table("retention_state")
