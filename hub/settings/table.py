"""The table of all settings as Markdown: `telemetry-hub config list`, and docs/reference/settings.md."""

import json
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from hub.settings.source import Settings


def render(model: type[Settings]) -> str:
    """Return a row for each setting: key, default, meaning."""
    lines = ["| key | default | meaning |", "|---|---|---|", *_rows(model, "")]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = prefix + name
        section, repeated = _section(field)
        if section is None or repeated:
            yield f"| `{key}` | {_default(field)} | {field.description} |"
        if section is not None:
            yield from _rows(section, f"{key}[]." if repeated else f"{key}.")


def _section(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """Return the model behind a field, and whether it is a list of such."""
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return field.annotation, False
    inner = get_args(field.annotation)
    if inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
        return inner[0], True
    return None, False


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "of the machine"
    if field.default is None:
        return "none"
    plain = TypeAdapter(field.annotation or object).dump_python(field.default, mode="json", exclude_defaults=True)
    return f"`{json.dumps(plain, ensure_ascii=False)}`"
