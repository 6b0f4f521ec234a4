"""The report as JUnit XML, for CI: one test suite a run, one test case an expectation, one for the run's validity.

What is not met is a failure; a run in which the simulator was the bottleneck is an error of its own test case, since
then nothing was measured.
"""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from device_sim.report.report import Report

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2) cannot hold, not even escaped; a text that was stored may hold it."""
VALID = "the simulator was not the bottleneck"


def render(report: Report) -> bytes:
    """Write the document."""
    result = report.result
    failures = sum(not outcome.met for outcome in report.outcomes)
    suite = ET.Element(
        "testsuite",
        name=f"device-sim.{result.scenario}",
        tests=str(len(report.outcomes) + 1),
        failures=str(failures),
        errors=str(int(bool(result.invalid))),
        skipped="0",
        time=f"{result.seconds:.3f}",
        timestamp=datetime.fromtimestamp(result.started_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {"seed": str(result.seed), **result.notes}.items():
        ET.SubElement(properties, "property", name=name, value=value)
    valid = ET.SubElement(suite, "testcase", classname=f"device-sim.{result.scenario}", name=VALID, time="0")
    if result.invalid:
        ET.SubElement(valid, "error", message="; ".join(result.invalid))
    for outcome in report.outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"device-sim.{result.scenario}",
            name=f"{outcome.name} {outcome.bound}",
            time="0",
        )
        if not outcome.met:
            failure = ET.SubElement(case, "failure", message=str(outcome))
            if report.verdict is not None and outcome.name in {"loss", "duplicates", "phantom", "altered"}:
                failure.text = "\n".join(str(example) for example in report.verdict.examples)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    for element in suites.iter():
        element.text = None if element.text is None else _holdable(element.text)
        for name, value in element.items():
            element.set(name, _holdable(value))
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _holdable(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
