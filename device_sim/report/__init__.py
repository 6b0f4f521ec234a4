"""What a run leaves behind for people and machines: one `Report`, written in four forms.

report     what all forms show: result, audit, outcomes of the expectations
terminal   a table for the person at the terminal
machine    JSON; the schema is in docs/reference/device-sim-report.md
junit      JUnit XML, a test case an expectation, for CI
page       one self-contained HTML page with charts (`charts`)
write      which form a file's name asks for
"""

from device_sim.report.report import Report
from device_sim.report.write import check_paths, write_report

__all__ = ["Report", "check_paths", "write_report"]
