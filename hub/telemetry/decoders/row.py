"""A row of the registry of decoders: all that is known of a decoder outside its own file.

A decoder is a callable: body, origin (topic, device, the route's options), receive time in µs since 1970 UTC, notes. It
returns the readings, an empty list for a payload that holds none by design, and raises PayloadError, nothing else, for one
that it refuses. What it leaves out it writes into the notes. It does no I/O and knows no clock. Limits on names, texts,
units and the number of readings are not its concern: the pipeline enforces them behind it.

A row holds what makes a decoder, because some remember (Sparkplug's aliases, units from a discovery): each pipeline has its
own. What they remember is bounded.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from hub.telemetry.decoders.strict_json import JsonValue
from hub.telemetry.notes import Notes
from hub.telemetry.origin import Origin
from storage.reading import Reading

Decoder: TypeAlias = Callable[[bytes, Origin, int, Notes], list[Reading]]
Option: TypeAlias = Literal["arrays", "numbers", "zone", "encoding", "metric_level"]
"""The options of a route that not every decoder has; a route that sets one of another decoder is refused at start."""
TEXT_OPTIONS: Final[frozenset[Option]] = frozenset({"encoding"})
JSON_OPTIONS: Final[frozenset[Option]] = frozenset({"arrays", "numbers", "encoding"})
ALL_OPTIONS: Final[frozenset[Option]] = frozenset({"arrays", "numbers", "zone", "encoding", "metric_level"})


class Topics(NamedTuple):
    """Topics that need no route.

    `pattern` is of the whole topic; its groups become the Origin's: `device`, or `joined`, whose levels are joined by dots
    to the device; `rest`; and `metric`, whose levels are joined to the metric's name. Patterns are ours alone (no text of a
    client is ever compiled), without nested repetition, and run once for each topic: the pipeline remembers the answer.
    """

    name: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, name: str, pattern: str) -> "Topics":
        return cls(name, re.compile(pattern))


class Peek(NamedTuple):
    """A payload that the decoder `content` looks at: as text where it is text, and parsed where it is a JSON array."""

    body: bytes
    text: str | None
    array: JsonValue


class Guess(NamedTuple):
    """How `content` finds out that a payload is of this format: the guesses are asked in order of `order`.

    `begins` has the first bytes that such a payload may have, without spaces in front; empty: any. `read` returns None for
    a payload that is of another format.
    """

    order: int
    begins: bytes
    read: Callable[[Peek, Origin, int, Notes], list[Reading] | None]


class Row(NamedTuple):
    """A decoder; `topics` are tried in the order of the registry, the first that matches wins."""

    name: str
    make: Callable[[], Decoder]
    media_types: tuple[str, ...] = ()
    """A content-type that names one of these overrides a route whose decoder only guesses (device-formats section 1)."""
    topics: tuple[Topics, ...] = ()
    guess: Guess | None = None
    options: frozenset[Option] = frozenset()
    guesses: bool = False
    """Whether a content-type overrides it; a firmware's topic says more than the type of its text."""
    learns_units: bool = False
    """Whether it knows units from retained messages only (discoveries, descriptions). After a restart it has not seen them,
    and the broker does not send them again to a session that lasts: the pipeline remembers the units for it."""
