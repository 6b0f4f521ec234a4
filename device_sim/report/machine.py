"""The report as JSON, for machines: everything that the other forms show, histograms included."""

from typing import Any, Final

import orjson

from device_sim.report.report import WORDS, Report

FORMAT: Final = "device-sim report 1"


def as_json(report: Report) -> dict[str, Any]:
    """Return plain values; the schema is in docs/reference/device-sim-report.md."""
    return {
        "format": FORMAT,
        "verdict": WORDS[report.status],
        "exit_status": int(report.status),
        "expectations": [
            {"name": of.name, "bound": str(of.bound), "figure": of.figure, "met": of.met} for of in report.outcomes
        ],
        "audit": None if report.verdict is None else report.verdict.as_json(),
        "run": report.result.as_json(),
    }


def render(report: Report) -> bytes:
    """Encode for a file."""
    return orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
