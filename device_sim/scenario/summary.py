"""What a scenario comes to, in a few lines: for `device-sim check`."""

from device_sim.scenario.model import Scenario


def summary(scenario: Scenario) -> str:
    """Return devices and rates by class, and how many faults, dashboards and expectations there are."""
    counts = scenario.counts
    rate = sum(count * device_class.rate for count, device_class in zip(counts, scenario.classes, strict=True))
    faults = len(scenario.faults) + sum(len(device_class.faults) for device_class in scenario.classes)
    dashboards = sum(dashboard.count for dashboard in scenario.dashboards)
    lines = [f"{scenario.name}: {sum(counts)} devices, {rate:g} samples a second, {scenario.duration:g} s"]
    lines += [
        f"  {device_class.name}: {count} x {device_class.rate:g}/s, {device_class.format} over {device_class.link}, "
        f"metrics {', '.join(device_class.sensors)}"
        for count, device_class in zip(counts, scenario.classes, strict=True)
    ]
    lines.append(f"  {faults} faults, {dashboards} dashboards, {len(scenario.expectations)} expectations")
    return "\n".join(lines)
