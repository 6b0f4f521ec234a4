"""The demo's live status line: what the hub's /metrics say, each half second."""

import urllib.error
import urllib.request
from collections import defaultdict
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

STORED: Final = "hub_readings_stored_total"
QUARANTINED: Final = "hub_quarantined_total"
DELIVERED: Final = "hub_messages_out_total"
CONNECTIONS: Final = "hub_connections"
SCRAPE_TIMEOUT_S: Final = 2.0
PLAIN_PERIOD_S: Final = 5.0


def scrape(page: str) -> dict[str, float]:
    """Return the hub's metrics, summed over their labels; empty when it does not answer just now."""
    # Nothing of it is needed until everything runs.
    from prometheus_client.parser import text_string_to_metric_families

    try:
        with urllib.request.urlopen(f"{page.rstrip('/')}/metrics", timeout=SCRAPE_TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    sums: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] += sample.value
    return sums


class StatusLine:
    """One line on a terminal, rewritten in place; elsewhere (a log) a line each few seconds."""

    def __init__(self, console: Console, devices: int) -> None:
        self._console = console
        self._devices = devices
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._before = (0.0, 0.0)  # seconds, readings stored
        self._printed_s = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, metrics: dict[str, float], seconds: float) -> None:
        """Show the newest figures, `seconds` after the start; nothing when the hub did not answer."""
        if not metrics:
            return
        then, stored_then = self._before
        stored = metrics.get(STORED, 0)
        rate = (stored - stored_then) / max(seconds - then, 1e-3)
        self._before = (seconds, stored)
        line = (
            f"{seconds:5.0f} s  {self._devices} devices  {stored:,.0f} readings stored ({rate:,.0f}/s)  "
            f"{metrics.get(DELIVERED, 0):,.0f} deliveries  {metrics.get(CONNECTIONS, 0):.0f} connections  "
            f"{metrics.get(QUARANTINED, 0):.0f} in quarantine"
        )
        if self._console.is_terminal:
            self._live.update(Text(f"{line}  (Ctrl-C stops)", no_wrap=True, overflow="ellipsis"), refresh=True)
        elif seconds - self._printed_s >= PLAIN_PERIOD_S:
            self._printed_s = seconds
            self._console.print(line, soft_wrap=True)
