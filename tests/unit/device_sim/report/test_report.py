"""The report in its forms: each shows the verdict and every expectation, for the reader that it is made for."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from rich.console import Console

from device_sim.errors import BadArgumentError
from device_sim.figures.results import RunResult
from device_sim.ledger.writer import Acknowledgement
from device_sim.report import Report, check_paths, write_report
from device_sim.report.terminal import show
from device_sim.scenario.declared import parse_bound
from device_sim.verify import Example, TimedCount, judge
from tests.support.run_result import made_up_result

BOUNDS = {"loss": parse_bound(0), "p99_delivered_ms": parse_bound("< 250"), "rate": parse_bound("> 40")}
EXAMPLE = Example("lost", "<b>&dev", "temperature", "2026-11-20T16:00:00Z", "21.5", "")


def report(*, invalid: str = "", scenario: str = "made-up") -> Report:
    verdict = judge([TimedCount(Acknowledgement.PUBACK, 0, 0, collided=False, readings=2)])
    result = made_up_result(seconds=70, invalid=invalid, scenario=scenario)
    return Report.of(BOUNDS, result, verdict.with_examples([EXAMPLE]))


def suite_of(path: Path) -> ET.Element:
    return ET.parse(path).getroot()[0]  # noqa: S314 - our own file


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for form in ("json", "xml", "html"):
        write_report(report(), tmp_path / f"r.{form}")
    return tmp_path


def test_json_holds_verdict_expectations_audit_and_the_whole_result(written: Path) -> None:
    data = orjson.loads((written / "r.json").read_bytes())

    assert (data["format"], data["verdict"], data["exit_status"]) == ("device-sim report 1", "not met", 1)
    assert [(of["name"], of["bound"], of["met"]) for of in data["expectations"]] == [
        ("loss", "= 0", False),
        ("p99_delivered_ms", "< 250", False),
        ("rate", "> 40", True),
    ]
    assert data["audit"]["lost"] == 2
    assert RunResult.from_json(data["run"]).messages == 3_500


def test_junit_has_a_test_case_an_expectation_and_one_for_validity(written: Path) -> None:
    suite = suite_of(written / "r.xml")
    cases = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}

    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    assert list(cases) == ["the simulator was not the bottleneck", "loss = 0", "p99_delivered_ms < 250", "rate > 40"]
    assert cases["rate > 40"] is None
    loss = cases["loss = 0"]
    assert loss is not None
    assert loss.get("message") == "loss: expected = 0, was 2"
    assert loss.text == str(EXAMPLE)


def test_junit_is_xml_whatever_text_was_stored(tmp_path: Path) -> None:
    odd = report().verdict
    assert odd is not None
    example = Example("altered", "dev\x1b[31m", "state", "", "]]>&<\x07", "\ufffe\U0001f600")
    write_report(Report.of(BOUNDS, made_up_result(seconds=70), odd.with_examples([example])), tmp_path / "r.xml")
    (failure,) = (found for found in suite_of(tmp_path / "r.xml").iter("failure") if found.text)

    assert failure.text == "altered: dev\ufffd[31m state without a time, sent ]]>&<\ufffd, stored \ufffd\U0001f600"


def test_junit_tells_an_invalid_run_as_an_error(tmp_path: Path) -> None:
    write_report(report(invalid="the loop was late"), tmp_path / "r.xml")
    suite = suite_of(tmp_path / "r.xml")
    (error,) = suite.iter("error")

    assert suite.get("errors") == "1"
    assert error.get("message") == "the loop was late"


def test_the_page_loads_nothing_runs_nothing_and_escapes_names(tmp_path: Path) -> None:
    write_report(report(scenario="<i>odd"), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()

    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert not re.search(r"url\((?!#)|@import", page)
    assert "<i>odd" not in page
    assert "<b>&dev" not in page
    assert "&lt;b&gt;&amp;dev" in page
    assert "reconnect storm &lt;west&gt;" in page
    assert "2 of 3 expectations are not met" in page
    assert len(page) < 300_000


def test_the_page_draws_four_charts_in_the_pages_colours(written: Path) -> None:
    page = (written / "r.html").read_text()

    assert page.count("<svg") == 4
    assert not re.search(r"#0[0-9a]0[0-9a]0[0-9a]\b", page)
    assert "var(--acknowledged)" in page


def test_a_run_that_measured_nothing_has_a_page_too(tmp_path: Path) -> None:
    write_report(Report.of({}, made_up_result(seconds=0), None), tmp_path / "r.html")

    assert "Nothing was expected" in (tmp_path / "r.html").read_text()


def test_the_terminal_shows_expectations_latencies_and_examples() -> None:
    out = io.StringIO()
    show(report(), Console(file=out, width=120))

    assert "2 of 3 expectations are not met" in out.getvalue()
    assert re.search(r"p99_delivered_ms < 250 .* not met", out.getvalue())
    assert re.search(r"acknowledged +│", out.getvalue())
    assert str(EXAMPLE) in out.getvalue()


def test_an_invalid_run_says_why_first_unless_something_was_lost() -> None:
    result = made_up_result(seconds=5, invalid="the loop was late")

    assert Report.of({"rate": parse_bound("> 50")}, result, None).headline == "Invalid: the loop was late"
    assert report(invalid="the loop was late").headline == "2 of 3 expectations are not met"


@pytest.mark.parametrize("name", ["r.pdf", "r", "none/r.json"])
def test_a_path_that_cannot_become_a_report_names_the_option(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArgumentError, match="--report"):
        check_paths([tmp_path / name])


def test_a_directory_in_the_place_of_the_file_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "r.json").mkdir()
    with pytest.raises(BadArgumentError, match="--report"):
        write_report(report(), tmp_path / "r.json")
