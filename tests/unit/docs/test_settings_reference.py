from pathlib import Path

from hub.settings.model import HubSettings
from hub.settings.table import render

ROOT = Path(__file__).parents[3]


def test_each_setting_has_its_row_and_each_row_its_setting() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")

    _, _, table = page.partition("by `make docs`. -->\n\n")

    assert render(HubSettings) == table, "run `make docs`"


def test_each_setting_says_what_it_means() -> None:
    assert "| None |" not in render(HubSettings)
