"""A series is one (device, metric, unit): a unit that changes begins a new series and relabels nothing.

Before deployment: the old program finds a series by device and metric, and finds one of them. Builds one index over the
series, a few seconds for a million; locks series meanwhile.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_unique_constraint("series_device_id_metric_unit_key", "series", ["device_id", "metric", "unit"])
    op.drop_constraint("series_device_id_metric_key", "series")


def downgrade() -> None:
    op.create_unique_constraint("series_device_id_metric_key", "series", ["device_id", "metric"])
    op.drop_constraint("series_device_id_metric_unit_key", "series")
