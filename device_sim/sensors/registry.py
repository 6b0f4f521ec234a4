"""The kinds of sensors a scenario may declare, one line each; `kind` in the file chooses."""

from typing import Annotated, TypeAlias

from pydantic import Field

from device_sim.sensors.around_a_mean import DailyCycle, OrnsteinUhlenbeck
from device_sim.sensors.battery import Battery
from device_sim.sensors.constant import Constant
from device_sim.sensors.counter import Counter
from device_sim.sensors.gps import GpsTrack
from device_sim.sensors.humidity import Humidity
from device_sim.sensors.markov import Markov
from device_sim.sensors.pressure import Pressure
from device_sim.sensors.random_walk import RandomWalk
from device_sim.sensors.replay import Replay
from device_sim.sensors.sine import Sine
from device_sim.sensors.temperature import Temperature

AnySensor: TypeAlias = Annotated[
    Constant
    | Sine
    | RandomWalk
    | OrnsteinUhlenbeck
    | DailyCycle
    | Markov
    | Counter
    | Battery
    | GpsTrack
    | Replay
    | Temperature
    | Humidity
    | Pressure,
    Field(discriminator="kind"),
]
