"""The page at `/` as a person uses it, in a real browser, while the demo runs.

Screenshots are in the test's temporary directory; `-o tmp_path_retention_policy=all` keeps them, to be looked at.
"""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.browser import DEADLINE_MS, Complaints, running_browser
from tests.support.demo import running_demo
from tests.support.waiting import wait_for

FLEET = ("--devices", "12", "--rate", "60")
# Points that the plot's line and fill cover; an empty plot has axes only, which are grey.
_COLOURED_POINTS = """() => {
  const canvas = document.querySelector('#plot canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at + 1] - data[at] > 40 && data[at + 3] > 200) coloured += 1;
  return coloured;
}"""


def test_a_person_sees_live_readings_and_finds_and_plots_one(tmp_path: Path) -> None:
    with running_browser() as browser, running_demo(tmp_path / "demo", *FLEET) as demo:
        page = browser.new_page(viewport={"width": 1360, "height": 860}, color_scheme="light")
        page.set_default_timeout(DEADLINE_MS)
        complaints = Complaints(page)
        page.goto(demo.page)

        sees_values_change(page)
        sees_them_plotted(page)
        finds_one_with_the_keyboard(page)
        page.screenshot(path=tmp_path / "light.png")
        page.get_by_role("button", name="Use dark colours").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.screenshot(path=tmp_path / "dark.png")

        assert [] == complaints.texts

        demo.stop()
        is_told_that_the_values_stand_still(page)
        page.screenshot(path=tmp_path / "lost.png")


def sees_values_change(page: Page) -> None:
    expect(page.locator("#link")).to_have_text("Live", timeout=DEADLINE_MS)
    value = page.locator(".row-series .row-value").first
    expect(value).to_have_text(re.compile(r"\S"), timeout=DEADLINE_MS)
    expect(value).not_to_have_text(value.inner_text(), timeout=DEADLINE_MS)
    expect(page.locator("#devices")).to_have_text("12", timeout=DEADLINE_MS)
    expect(page.locator("#rate")).not_to_have_text("0.0", timeout=DEADLINE_MS)


def sees_them_plotted(page: Page) -> None:
    expect(page.locator("#metric")).to_have_text(re.compile(r"\S"))
    wait_for(lambda: int(page.locator("#fact-count").inner_text()) >= 3, 20)
    wait_for(lambda: page.evaluate(_COLOURED_POINTS) > 100)
    expect(page.get_by_role("img", name=re.compile("Plot of .* newest"))).to_be_visible()


def finds_one_with_the_keyboard(page: Page) -> None:
    """Search, step down the list, and see the device that was searched for."""
    page.keyboard.press("/")
    page.keyboard.type("press-02")
    expect(page.locator(".row-device")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(page.locator("#device")).to_contain_text("press-02")
    selected = page.locator(".row-series[aria-selected=true]")
    expect(page.locator("#list")).to_have_attribute("aria-activedescendant", selected.get_attribute("id") or "")
    expect(page.locator("#metric")).to_have_text(selected.locator(".row-metric").inner_text())
    assert page.url.endswith(f"/{selected.locator('.row-metric').inner_text()}")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")


def is_told_that_the_values_stand_still(page: Page) -> None:
    expect(page.locator("#link")).to_have_text("Not connected", timeout=DEADLINE_MS)
    expect(page.locator("#bar-text")).to_contain_text("The values below stand still.")
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
