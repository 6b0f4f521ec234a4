"""A number that grows whenever the maintenance loop is about to take dirty hours in hand.

Before deployment: the old program marks every hour anew and does not read the column. Locks a table of two rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rollup_state",
        sa.Column(
            "generation",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="raised before dirty hours are taken in hand: marks of an older one may be gone",
        ),
    )
    op.execute("UPDATE rollup_dirty SET marks = 0")  # they were counts, they are generations now


def downgrade() -> None:
    op.drop_column("rollup_state", "generation")
