"""The report's page in a real browser: it loads nothing, complains of nothing, and shows verdict and charts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from device_sim.ledger.writer import Acknowledgement
from device_sim.report import Report, write_report
from device_sim.scenario.declared import parse_bound
from device_sim.verify import TimedCount, judge
from tests.support.browser import Complaints, running_browser
from tests.support.run_result import made_up_result

BOUNDS = {"loss": parse_bound(0), "p99_delivered_ms": parse_bound("< 250")}
CHARTS = ["Latency over time", "Messages a second", "Connections", "Latency by percentile"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def file(tmp_path: Path) -> Path:
    verdict = judge([TimedCount(Acknowledgement.PUBACK, 1, 0, collided=False, readings=300)])
    write_report(Report.of(BOUNDS, made_up_result(), verdict), tmp_path / "report.html")
    return tmp_path / "report.html"


def opened(browser: Browser, file: Path, scheme: str, width: int = 1100) -> tuple[Page, Complaints, list[str]]:
    page = browser.new_page(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
    )
    complaints = Complaints(page)
    requests: list[str] = []

    def note(request: Request) -> None:
        requests.append(request.url)

    page.on("request", note)
    page.goto(file.as_uri())
    return page, complaints, requests


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_alone_and_shows_everything(browser: Browser, file: Path, scheme: str) -> None:
    page, complaints, requests = opened(browser, file, scheme)

    assert requests == [file.as_uri()]
    assert complaints.texts == []
    assert page.locator(".verdict").inner_text().strip() == "1 of 2 expectations are not met"
    assert page.locator("section:has(svg) h2").all_inner_texts() == CHARTS
    for number in range(len(CHARTS)):
        box = page.locator("section svg").nth(number).bounding_box()
        assert box is not None
        assert box["width"] > 800
        assert box["height"] > 150
    page.close()


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_text_and_lines_stand_out_from_the_ground_in_both_schemes(
    browser: Browser, file: Path, scheme: str, dark: bool
) -> None:
    page, _, _ = opened(browser, file, scheme)

    def lightness(script: str) -> float:
        colour = str(page.evaluate(script))
        red, green, blue = (int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")[:3])
        return (red + green + blue) / 765

    ground = lightness("getComputedStyle(document.body).backgroundColor")
    ink = lightness("getComputedStyle(document.querySelector('svg text')).fill")
    assert (ground < 0.3) == dark
    assert abs(ground - ink) > 0.5
    page.close()


def test_on_a_telephone_nothing_sticks_out(browser: Browser, file: Path) -> None:
    page, _, _ = opened(browser, file, "light", width=390)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
