"""The base of everything that a scenario file declares: frozen, unknown keys refused, `for` spelt as in the file."""

from pydantic import BaseModel, ConfigDict


class Declared(BaseModel):
    """A table of a scenario file."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)
