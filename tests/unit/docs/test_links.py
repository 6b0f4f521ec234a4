"""Links between the pages of the documentation lead somewhere, and each page is found from the index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> list[Path]:
    """Return the files that a page links to."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [] == [str(target) for target in links(page) if not target.exists()]


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"

    missing = set(ROOT.glob("docs/**/*.md")) - {index} - set(links(index))
    assert set() == missing, "add them to docs/README.md"
