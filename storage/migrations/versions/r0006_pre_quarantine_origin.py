"""What the decoding of a quarantined payload depended on: its content type, how it came, whether it was retained.

Before deployment: the old program names the columns that it writes, and the new ones have defaults. Constant defaults
rewrite no row; locks quarantine for a moment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quarantine", sa.Column("content_type", sa.Text, comment="as the sender named it; null: it did not"))
    op.add_column(
        "quarantine",
        sa.Column(
            "origin",
            sa.Text,
            nullable=False,
            server_default="bridge",
            comment="bridge, direct, or storage: a refused reading",
        ),
    )
    op.add_column(
        "quarantine",
        sa.Column("retained", sa.Boolean, nullable=False, server_default="false", comment="an MQTT broker had kept it"),
    )
    op.execute("UPDATE quarantine SET origin = 'storage' WHERE topic LIKE 'reading:%' OR topic = 'spool'")


def downgrade() -> None:
    for column in ("retained", "origin", "content_type"):
        op.drop_column("quarantine", column)
