"""The report as one HTML page: verdict on top, charts below, nothing loaded from anywhere.

The layout is `page.html` beside this file. The page carries no script; its Content-Security-Policy forbids all loading,
so that it can be opened from a mail or a CI artefact.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from device_sim.figures.results import KINDS
from device_sim.report import charts
from device_sim.report.report import WORDS, Report
from device_sim.report.terminal import TITLES

TEMPLATE: Final = Path(__file__).with_name("page.html")
AUDIT_ROWS: Final = (
    ("acknowledged", "acknowledged readings"),
    ("stored", "of them stored"),
    ("lost", "of them lost"),
    ("duplicates", "duplicate rows"),
    ("phantom", "phantom rows: nobody sent them"),
    ("altered", "altered values"),
    ("repeated", "rows too many of readings without a time of their own (documented)"),
    ("collided", "readings sent with one time and different values (the first is stored)"),
    ("stored_unacknowledged", "stored although the acknowledgement did not arrive (allowed)"),
)


def render(report: Report) -> bytes:
    """Fill the template."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    result, verdict = report.result, report.verdict
    page = template.render(
        report=report,
        result=result,
        word=WORDS[report.status],
        css_class=WORDS[report.status].replace(" ", "-"),
        started=datetime.fromtimestamp(result.started_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        latencies=[(TITLES[kind], result.latencies[kind]) for kind in KINDS if kind in result.latencies],
        percents=(50.0, 90.0, 99.0, 99.9),
        audit=[] if verdict is None else [(text, getattr(verdict, name)) for name, text in AUDIT_ROWS],
        bad={"lost", "duplicates", "phantom", "altered"},
        charts=[
            (title, _safe(svg))
            for title, svg in (
                ("Latency over time", charts.latency_over_time(result)),
                ("Messages a second", charts.rates_over_time(result)),
                ("Connections", charts.connections_over_time(result)),
                ("Latency by percentile", charts.percentile_curve(result)),
            )
            if svg
        ],
        slot_s=result.timeline.slot_s,
    )
    return page.encode()


def _safe(svg: str) -> Markup:
    """Mark our own drawing as HTML; matplotlib has escaped the names in it."""
    return Markup(re.sub(r"\n\s*", "\n", svg))  # noqa: S704 - see above
