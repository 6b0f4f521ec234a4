"""The kinds of sensors a scenario may declare: a line for each file; `kind` in the scenario chooses a class of it."""

from functools import reduce
from importlib import import_module
from operator import or_
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from pydantic import Field

from device_sim.sensors.settings import SensorSettings

FILES: Final = (
    "constant",
    "sine",
    "random_walk",
    "around_a_mean",
    "markov",
    "counter",
    "battery",
    "gps",
    "replay",
    "temperature",
    "humidity",
    "pressure",
)


def _kinds(file: str) -> list[type[SensorSettings]]:
    """Return the classes of a file that have a `kind`, in its order."""
    module = import_module(f"device_sim.sensors.{file}")
    return [
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, SensorSettings)
        and found.__module__ == module.__name__
        and "kind" in found.model_fields
    ]


if TYPE_CHECKING:  # the files are listed once, for pydantic; what all kinds have is all that others use
    AnySensor: TypeAlias = SensorSettings
else:
    AnySensor = Annotated[reduce(or_, [kind for file in FILES for kind in _kinds(file)]), Field(discriminator="kind")]
