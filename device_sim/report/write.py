"""Which form of a report goes into which file: the name's ending decides."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from device_sim.errors import BadArgumentError
from device_sim.report import junit, machine
from device_sim.report.report import Report


def _page(report: Report) -> bytes:
    from device_sim.report.page import render  # matplotlib takes a second to import

    return render(report)


FORMS: Final[dict[str, Callable[[Report], bytes]]] = {
    ".json": machine.render,
    ".xml": junit.render,
    ".html": _page,
}


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse, before a run, what could not be written after it; BadArgumentError names --report."""
    for path in paths:
        if path.suffix not in FORMS:
            problem = f"{path} is no file whose name ends with one of {', '.join(FORMS)}"
            raise BadArgumentError("--report", f"{problem}; the figures are on stdout in any case")
        if not path.parent.is_dir():
            raise BadArgumentError("--report", f"there is no directory {path.parent}")
        if path.suffix == ".html" and not all(find_spec(needed) for needed in ("jinja2", "matplotlib")):
            raise BadArgumentError("--report", "a page needs: pip install 'telemetry-hub[report]'")


def write_report(report: Report, path: Path) -> None:
    """Write the form that the file's name asks for."""
    try:
        path.write_bytes(FORMS[path.suffix](report))
    except OSError as error:
        raise BadArgumentError("--report", f"cannot write {path}: {error.strerror}") from error
