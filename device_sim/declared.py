"""The base of everything that a scenario file declares: frozen, `for` spelt as in the file.

Unknown keys are refused, and `inf` and `nan`, which TOML has: no rate, time or value of a fleet is without end. TOML says
what is a number, a text or a truth value, so nothing is converted: `duration = "10"` is a slip of the pen. Only a whole
number will do where a fraction may stand.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


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
        """Take the lists of a file for tuples: what is frozen holds nothing that could change."""
        return {key: _fixed(value) for key, value in table.items()} if isinstance(table, dict) else table


def _fixed(value: Any) -> Any:
    return tuple(_fixed(one) for one in value) if isinstance(value, list) else value
