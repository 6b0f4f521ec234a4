"""A position that moves along a track: a lorry, a ship, a wolf with a collar."""

import math
import random
from itertools import accumulate, pairwise
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from annotated_types import Len
from pydantic import Field, model_validator

from device_sim.sensors.settings import EachSensor, GroupSampler

DEGREE_M = 111_195.0  # along a meridian of a sphere of 6,371 km
Latitude: TypeAlias = Annotated[float, Field(ge=-89.0, le=89.0)]
Longitude: TypeAlias = Annotated[float, Field(ge=-180.0, le=180.0)]


class GpsTrack(EachSensor):
    """Latitude, longitude and speed on a closed track at a steady pace; the sphere is flat between two points."""

    parts: ClassVar[tuple[str, ...]] = ("latitude", "longitude", "speed")

    kind: Literal["gps"]
    track: Annotated[tuple[tuple[Latitude, Longitude], ...], Len(2)] = Field(
        description="points [latitude, longitude]; from the last it goes back to the first"
    )
    speed: float = Field(default=15.0, gt=0.0, description="metres a second")
    noise_m: float = Field(default=3.0, ge=0.0, description="standard deviation of the receiver's error, metres")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.track)) < 2:
            raise ValueError("`track` needs two different points")
        return self

    def make(self, rng: random.Random) -> GroupSampler:
        corners = [*self.track, self.track[0]]
        legs = [leg for leg in pairwise(corners) if leg[0] != leg[1]]
        ends_m = list(accumulate(_length_m(a, b) for a, b in legs))
        starts_m = [0.0, *ends_m[:-1]]
        speed, noise, around_m = self.speed, self.noise_m / DEGREE_M, ends_m[-1]
        begin_m, begin_t = rng.uniform(0.0, around_m), math.nan
        gauss, leg = rng.gauss, 0

        def sample(t: float) -> tuple[float, float, float]:
            nonlocal begin_t, leg
            if math.isnan(begin_t):
                begin_t = t
            way_m = (begin_m + (t - begin_t) * speed) % around_m
            while not starts_m[leg] <= way_m <= ends_m[leg]:
                leg = (leg + 1) % len(legs)
            (lat_a, lon_a), (lat_b, lon_b) = legs[leg]
            part = (way_m - starts_m[leg]) / (ends_m[leg] - starts_m[leg])
            lat = lat_a + part * (lat_b - lat_a) + gauss(0.0, noise)
            lon = lon_a + part * (lon_b - lon_a) + gauss(0.0, noise) / math.cos(math.radians(lat))
            return round(lat, 6), round(lon, 6), round(max(gauss(speed, 0.02 * speed), 0.0), 1)

        return sample


def _length_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the length of a leg that does not cross the 180th meridian."""
    north = b[0] - a[0]
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2.0))
    return DEGREE_M * math.hypot(north, east)
