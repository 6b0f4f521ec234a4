"""The stage that begins a subscription with what was there before it: `replay:last`.

The source is an iterator of publications. They are sent in slices, as fast as the connection takes them, so that a hundred
thousand last values neither hold the loop nor fill the outbox. A live message is not held back: it passes, and an older
one of the same topic that is still to come from the source is left out. So each topic begins with its newest value, and
nothing is sent twice.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hub.broker.publication import Publication

SLICE_MESSAGES: Final = 200
SLICE_BYTES: Final = 131_072


class CatchUp:
    """What a source still holds for one subscription."""

    __slots__ = ("_congested", "_next", "_overtaken", "_source")

    def __init__(
        self,
        source: Iterator[Publication],
        out: Callable[[Publication, float], None],
        congested: Callable[[], bool],
    ) -> None:
        """Take the source, the next stage's `offer`, and whether the peer is behind in reading."""
        self._source: Iterator[Publication] | None = source
        self._next = out
        self._congested = congested
        self._overtaken: set[str] = set()  # topics with a live message

    @property
    def done(self) -> bool:
        """Whether the source is used up: the stage only passes messages on."""
        return self._source is None

    def offer(self, publication: Publication, now: float) -> None:
        """Pass a live message on."""
        if self._source is not None:
            self._overtaken.add(publication.address.text)
        self._next(publication, now)

    def release(self, now: float) -> float | None:
        """Send a slice; return when to call again: at once, or None when the peer has to read first or all is sent."""
        if self._source is None or self._congested():
            return None
        size = 0
        source = self._source
        for _ in range(SLICE_MESSAGES):
            publication = next(source, None)
            if publication is None:
                self.end()
                return None
            if publication.address.text not in self._overtaken:
                self._next(publication, now)
                size += publication.size
                if self.done:
                    return None  # the connection was closed as too slow
            if size > SLICE_BYTES:
                break
        return now

    def end(self) -> None:
        """Drop the source."""
        self._source = None
        self._overtaken.clear()
