from tests.bench.storage_section import programs, rows


def test_figures_with_a_goal_come_first_and_what_is_no_number_is_left_out() -> None:
    found = rows("storage_writer", {"rows": 5, "plan": ["x"], "store_to_bare": 0.9})
    assert ["writer: store_to_bare", "writer: rows"] == [row.work for row in found]
    assert ["yes", ""] == [row.verdict for row in found]


def test_the_section_does_not_run_itself() -> None:
    assert "storage_section" not in programs()
