"""The base of everything that a scenario file declares: frozen, `for` spelt as in the file.

Unknown keys are refused, and `inf` and `nan`, which TOML has: no rate, time or value of a fleet is without end.
"""

from pydantic import BaseModel, ConfigDict


class Declared(BaseModel):
    """A table of a scenario file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, allow_inf_nan=False
    )
