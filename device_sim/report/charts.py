"""The charts of the page, as SVG: latency by percentile, latency over time, rates over time, connections over time.

Matplotlib draws them with stand-in colours that are then replaced by CSS variables, so that one drawing serves a light
and a dark page. Text stays text. Stages are bands along the top of the time charts, faults and kills are shaded from
their begin to their end.
"""

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from device_sim.figures.results import ACKNOWLEDGED, CONNECTIONS, DELIVERED, LOOP_LAG, STORED, Mark, RunResult
from device_sim.figures.timeline import Slot

# Stand-ins that occur nowhere else, and the CSS variables of page.html that take their place.
INK: Final = "#010101"
FAINT: Final = "#020202"
COLOURS: Final = {
    "sent": "#030303",
    ACKNOWLEDGED: "#040404",
    DELIVERED: "#050505",
    STORED: "#060606",
    LOOP_LAG: "#070707",
    "kill": "#080808",
    "fault": "#090909",
    "stage": "#0a0a0a",
}
VARIABLES: Final = {INK: "ink", FAINT: "faint", **{colour: name for name, colour in COLOURS.items()}}
SETTINGS: Final[dict[Any, Any]] = {  # matplotlib types its keys as one long literal
    "svg.fonttype": "none",
    "svg.hashsalt": "device-sim",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}
WIDTH_IN: Final = 9.6
MOST_NAMES: Final = 14
PERCENT_TICKS: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
KINDS: Final = (ACKNOWLEDGED, DELIVERED, STORED)


def percentile_curve(result: RunResult) -> str:
    """Draw latency by percentile; each step to the right is ten times rarer. Empty when nothing was measured."""
    if not any(kind in result.latencies for kind in KINDS):
        return ""

    def draw(axes: Axes) -> None:
        rarest = 90.0
        for kind in KINDS:
            if (histogram := result.latencies.get(kind)) is None:
                continue
            curve = [(percent, seconds) for percent, seconds in histogram.curve() if percent < 100.0]
            curve.append((100.0 * (1 - 1 / (2 * max(histogram.count, 1))), histogram.max_s))
            rarest = max(rarest, curve[-1][0])
            axes.plot(
                [_rarity(percent) for percent, _ in curve],
                [max(seconds * 1e3, 1e-3) for _, seconds in curve],
                color=COLOURS[kind],
                label=kind,
            )
        ticks = [percent for percent in PERCENT_TICKS if percent <= rarest]
        axes.xaxis.set_major_locator(FixedLocator([_rarity(percent) for percent in ticks]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{100 - 100 / 10**at:.6g}" if at > 0 else "0"))
        axes.set_xlim(0.0, _rarity(rarest))
        axes.set_xlabel("percentile")
        _milliseconds(axes)

    return _figure(draw, 3.0)


def latency_over_time(result: RunResult) -> str:
    """Draw median and p99 of each kind, by slot of time; empty when nothing was measured."""
    if not any(kind in result.latencies for kind in KINDS):
        return ""

    def draw(axes: Axes) -> None:
        for kind in KINDS:
            if kind not in result.latencies:
                continue
            for percent, style in ((50.0, ":"), (99.0, "-")):
                line = [_percentile_ms(slot, kind, percent) for slot in result.timeline.slots]
                axes.plot(_times(result), line, style, color=COLOURS[kind], label=f"{kind} p{percent:g}")
        _milliseconds(axes)
        _over_time(axes, result)

    return _figure(draw, 3.2)


def rates_over_time(result: RunResult) -> str:
    """Draw messages sent, acknowledged and delivered a second; empty when there were none."""
    if not any(slot.counts for slot in result.timeline.slots):
        return ""

    def draw(axes: Axes) -> None:
        slot_s = result.timeline.slot_s
        names = ("sent", ACKNOWLEDGED, DELIVERED)
        used = [name for name in names if any(name in slot.counts for slot in result.timeline.slots)]
        for name in used:
            axes.plot(
                _times(result),
                [slot.counts.get(name, 0) / slot_s for slot in result.timeline.slots],
                "--" if name == "sent" else "-",
                color=COLOURS[name],
                label=name,
            )
        axes.set_ylabel("messages / s")
        axes.set_ylim(bottom=0.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.6g}"))
        _over_time(axes, result)

    return _figure(draw, 3.0)


def connections_over_time(result: RunResult) -> str:
    """Draw how many devices were connected; empty when nobody said."""
    if not any(CONNECTIONS in slot.gauges for slot in result.timeline.slots):
        return ""

    def draw(axes: Axes) -> None:
        levels = [slot.gauges.get(CONNECTIONS, math.nan) for slot in result.timeline.slots]
        axes.step(_times(result), levels, color=INK, where="mid", label="devices connected")
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("devices")
        _over_time(axes, result)

    return _figure(draw, 2.0)


def _times(result: RunResult) -> list[float]:
    slot_s = result.timeline.slot_s
    return [(number + 0.5) * slot_s for number in range(len(result.timeline.slots))]


def _percentile_ms(slot: Slot, kind: str, percent: float) -> float:
    """Return a point of a line; NaN, a gap, where nothing was measured."""
    histogram = slot.latencies.get(kind)
    return math.nan if histogram is None else histogram.percentile_s(percent) * 1e3


def _over_time(axes: Axes, result: RunResult) -> None:
    axes.set_xlabel("seconds since the start")
    end_s = max(result.seconds, len(result.timeline.slots) * result.timeline.slot_s, 1.0)
    axes.set_xlim(0.0, end_s)
    # A run may end before its scenario does.
    shown = [mark._replace(end_s=min(mark.end_s, end_s)) for mark in result.marks if mark.begin_s < end_s]
    _stages(axes, [mark for mark in shown if mark.kind == "stage"])
    marks = [mark for mark in shown if mark.kind != "stage"]
    named: set[str] = set()
    for mark in marks:
        # A kill that is over at once must still be seen.
        until_s = max(mark.end_s, mark.begin_s + end_s / 400)
        axes.axvspan(mark.begin_s, until_s, color=COLOURS[mark.kind], alpha=0.22, linewidth=0, zorder=0.5)
        axes.axvline(mark.begin_s, color=COLOURS[mark.kind], linewidth=0.8, zorder=0.6)
        named.add(mark.kind)
    for mark in marks if len(marks) <= MOST_NAMES else ():
        axes.annotate(
            mark.name,
            (mark.begin_s, 1.0),
            (2, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=7.5,
            color=INK,
        )
    for kind in sorted(named):
        axes.fill_between(
            [],
            [],
            color=COLOURS[kind],
            alpha=0.22,
            linewidth=0,
            label=f"{kind} to recovery" if kind == "kill" else kind,
        )


def _stages(axes: Axes, stages: Sequence[Mark]) -> None:
    for number, mark in enumerate(stages):
        axes.axvspan(
            mark.begin_s,
            mark.end_s,
            1.0,
            1.05,
            color=COLOURS["stage"],
            alpha=0.18 + 0.14 * (number % 2),
            clip_on=False,
            linewidth=0,
        )
        axes.annotate(
            mark.name,
            ((mark.begin_s + mark.end_s) / 2, 1.025),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="center",
            fontsize=7.5,
            annotation_clip=False,
        )


def _rarity(percent: float) -> float:
    """Place a percentile: 0 at 0, 90 at 1, 99 at 2, 99.9 at 3."""
    return -math.log10(max(1 - percent / 100, 1e-9))


def _milliseconds(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.set_ylabel("ms")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,.6g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())


def _figure(draw: Callable[[Axes], None], height_in: float) -> str:
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.4)
        out = io.StringIO()
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return _inline(out.getvalue())


def _inline(svg: str) -> str:
    """Make a drawing part of a page: without prologue and metadata, scaled to the column, coloured by the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, name in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
