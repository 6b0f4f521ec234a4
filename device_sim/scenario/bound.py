"""What a scenario expects of a figure: `loss = 0`, `p99_delivered_ms = "< 250"`."""

import operator
import re
from collections.abc import Callable
from typing import Final, NamedTuple

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_BOUND: Final = re.compile(r"(<=|>=|<|>|=)\s*([+-]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)")


class Bound(NamedTuple):
    """A comparison with a number."""

    relation: str
    limit: float

    def holds(self, figure: float) -> bool:
        return _OPERATORS[self.relation](figure, self.limit)

    def __str__(self) -> str:
        return f"{self.relation} {self.limit:g}"


def parse_bound(text: str | float) -> Bound:
    """Read a number (exactly that) or a comparison; ValueError says what would do."""
    if not isinstance(text, str):
        return Bound("=", float(text))
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is neither a number nor a comparison such as '< 250'")
    return Bound(match[1], float(match[2]))
