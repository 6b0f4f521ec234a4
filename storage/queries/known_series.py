"""Series that were asked for lately, so that a dashboard's next question need not look them up again.

Bounded in number and in age: a unit may change, and a database restored from a backup may give other ids (a restore takes
longer than a minute). Unknown series are not remembered, they may come any moment.
"""

import time
from collections.abc import Sequence
from itertools import islice
from typing import Final

from storage.engine import RawConnection
from storage.queries.lookup import SeriesInfo, SeriesName, find_series

KEPT_S: Final = 60.0
KEPT: Final = 50_000
"""About 300 bytes each."""


class KnownSeries:
    """Looks names up, in memory first."""

    def __init__(self) -> None:
        self._found: dict[SeriesName, tuple[float, SeriesInfo]] = {}

    async def find(self, connection: RawConnection, names: Sequence[SeriesName]) -> list[SeriesInfo]:
        """Return those of the series that exist, each once, in the order asked for."""
        now = time.monotonic()
        found = self._found
        missing = [name for name in names if name not in found or found[name][0] < now]
        if missing:
            fresh = await find_series(connection, missing)
            for name in missing:
                found.pop(name, None)
            found.update({(one.device, one.metric): (now + KEPT_S, one) for one in fresh})
        answer = [found[name][1] for name in dict.fromkeys(names) if name in found]
        if len(found) > KEPT:
            for name in list(islice(found, len(found) - KEPT)):
                del found[name]
        return answer
