"""Numbers that were sent in 32 bit: the shortest decimal that means the same float32.

Widened bit by bit, the float32 for 12.1 is 12.100000381469727 as a float64: an artefact on every dashboard, and another
value than the one that the device shows. No digit is lost: the result rounds to the same float32.
"""

import numpy as np


def shortest(value: float) -> float:
    """Return the float64 that is written with the fewest digits among those that are `value` in 32 bit."""
    return float(str(np.float32(value)))
