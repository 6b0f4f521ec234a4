"""What must hold on any Postgres from 15 on, on Debian's: the same tests, with another server under them."""

from collections.abc import Iterator

import pytest

from tests.integration.storage.queries.test_buckets import (  # noqa: F401
    test_buckets_equal_a_naive_aggregation_at_any_progress_of_the_rollups,
    test_infinities_nan_and_sums_beyond_a_double_are_answered,
    test_rollups_do_answer_and_raw_readings_only_for_the_rest,
)
from tests.integration.storage.queries.test_queries import (  # noqa: F401
    test_latest_is_by_device_time_of_numbers_and_texts_however_old,
    test_pages_hold_each_reading_of_the_range_once_numbers_and_texts_in_order,
)
from tests.integration.storage.test_migrate import (  # noqa: F401
    engine,
    test_the_migrations_make_the_tables_of_the_schema_and_leaves_do_not_disturb,
    test_upgrade_downgrade_upgrade,
)
from tests.integration.storage.test_rollups import (  # noqa: F401
    test_late_readings_and_rounds_at_once_leave_nothing_behind,
    test_retention_drops_whole_leaves_and_rollups_stay,
    test_rollups_equal_the_readings_late_ones_included,
)
from tests.integration.storage.test_store import (  # noqa: F401
    test_bad_readings_are_quarantined_and_the_good_ones_beside_them_stored,
    test_futures_resolve_in_order,
    test_readings_rest_with_their_values_times_and_kinds,
    test_repeats_are_dropped_in_a_batch_across_batches_and_after_a_restart,
    test_rows_that_the_database_refuses_are_found_by_halving,
)
from tests.support.debian_postgres import debian_binaries
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Debian's Postgres, in the place of the wheel's."""
    server = TestServer(tmp_path_factory.mktemp("debian"), debian_binaries())
    yield server
    server.stop()


def test_it_is_another_server(postgres_server: TestServer) -> None:
    version = (postgres_server.postgres.cluster / "PG_VERSION").read_text().strip()

    assert 15 <= int(version) < 18
