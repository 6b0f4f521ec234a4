"""`python -m tests.bench [fanout|path|peers|simulator|storage|all]`: run them, write their parts of docs/benchmarks.md.

`--quick` shows that everything works, in a minute or two; its figures mean nothing and are printed, not written.
"""

import argparse
import dataclasses
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench import fanout_section, path_section, peers_section, report, simulator_section, storage_section
from tests.bench.effort import FULL, QUICK, Effort
from tests.bench.report import Section
from tests.bench.stompload import BenchSkipped

BENCHES: dict[str, Callable[[Effort, Path], tuple[Section, object]]] = {
    "fanout": fanout_section.run,
    "path": path_section.run,
    "peers": peers_section.run,
    "simulator": simulator_section.run,
    "storage": storage_section.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", nargs="?", default="all", choices=(*BENCHES, "all"))
    parser.add_argument("--quick", action="store_true", help="short runs, nothing written")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison")
    parser.add_argument("--seconds", type=float, help="measured time of a run")
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing written")
    arguments = parser.parse_args()
    given = {"rounds": arguments.rounds, "seconds": arguments.seconds, "only": arguments.only or None}
    effort = dataclasses.replace(
        QUICK if arguments.quick else FULL, **{key: value for key, value in given.items() if value is not None}
    )
    if not hasattr(os, "sched_setaffinity"):
        print("skipped: the benchmarks pin processes to cores and read /proc, so they need Linux")
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in BENCHES if arguments.bench == "all" else (arguments.bench,):
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as directory:
            # The embedded Postgres may run as another user when we are root.
            Path(directory).chmod(0o755)
            try:
                section, raw = BENCHES[name](effort, Path(directory))
            except BenchSkipped as reason:
                print(f"{name}: skipped: {reason}")
                continue
        print("", *report.table(section.rows), "", sep="\n")
        if not arguments.quick and not arguments.only:
            report.write(section, raw)
            print(f"written to {report.PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
