"""What a device's availability topic said last.

Before deployment: the old program neither reads nor writes the columns. Adds nullable columns, so no row is rewritten;
locks devices for a moment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "devices", sa.Column("online", sa.Boolean, comment="what an availability topic said last; null: none did")
    )
    op.add_column("devices", sa.Column("state", sa.Text, comment="the word of the format for it"))
    op.add_column("devices", sa.Column("state_ts", sa.DateTime(timezone=True), comment="since when it is so"))


def downgrade() -> None:
    for column in ("state_ts", "state", "online"):
        op.drop_column("devices", column)
