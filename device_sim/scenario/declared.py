"""What a scenario file is declared with: the base of its tables, and what is expected of a figure.

Unknown keys are refused, and so are `inf` and `nan`, which TOML has: no rate, time or value of a fleet is without end. TOML
says what is a number, a text or a truth value, so nothing is converted: `duration = "10"` is a slip of the pen. A whole
number may stand where a fraction is expected. A bound is a number or a comparison: `loss = 0`, `p99_delivered_ms = "< 250"`.
"""

import operator
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, model_validator

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_BOUND: Final = re.compile(r"(<=|>=|<|>|=)\s*([+-]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)")


class Declared(BaseModel):
    """A table of a scenario file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _fix_arrays(cls, table: Any) -> Any:
        """Turn the lists of a file into tuples: what is frozen holds nothing that could change."""
        return {key: _fixed(value) for key, value in table.items()} if isinstance(table, dict) else table


def _fixed(value: Any) -> Any:
    return tuple(_fixed(one) for one in value) if isinstance(value, list) else value


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
