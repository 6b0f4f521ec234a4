"""The fleet that chaos sends with: a scenario of its own unless one is named.

Every kind of value crosses the system: numbers, a truth value, a text. All formats with a device time would do; JSON has
nothing to go wrong but the system. No faults of devices: what is missing at the end is then the system's.
"""

from typing import Final

LINKS: Final = ("mqtt", "mqtt5", "stomp-ws")
SCENARIO: Final = """\
name = "chaos"
description = "Plain devices and one dashboard, while parts of the system are killed."
seed = {seed}
duration = {duration_s:.1f}

[[classes]]
name = "chaos"
count = {devices}
rate = {rate}
link = "{link}"

[classes.sensors.temperature]
kind = "sine"
mean = 21
amplitude = 4
period_s = 60
noise = 0.2

[classes.sensors.level]
kind = "random-walk"
start = 50
step = 1

[classes.sensors.running]
kind = "markov"
states = [false, true]
mean_s = [5, 20]

[classes.sensors.state]
kind = "markov"
states = ["idle", "busy", "fault"]
mean_s = [5, 20, 2]

[[dashboards]]
name = "wall"
"""


def scenario_text(seed: int, duration_s: float, devices: int, rate: float, link: str) -> str:
    """Return the scenario file."""
    return SCENARIO.format(seed=seed, duration_s=duration_s, devices=devices, rate=rate, link=link)
