"""The newest known time of each series, by device time: what makes a reading late."""

from collections import OrderedDict


class Lateness:
    """Remembers at most `limit` series, the most recently seen ones."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()

    def observe(self, device: str, metric: str, time_us: int) -> bool:
        """Return True if a reading of the series with a later time was seen before."""
        key = (device, metric)
        newest = self._newest.get(key)
        if newest is not None and time_us < newest:
            return True
        self._newest[key] = time_us
        if newest is None and len(self._newest) > self._limit:
            self._newest.popitem(last=False)
        return False
