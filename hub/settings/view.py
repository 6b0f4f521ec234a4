"""The effective settings as TOML that can be read back, each with its origin, secrets hidden."""

import json
import re
from collections.abc import Iterator

from pydantic import BaseModel

from hub.settings.source import Loaded, Settings

HIDDEN = "**********"
# The password of a URL, before the @ or as a parameter.
_URL_PASSWORD = re.compile(r"(://[^:/@?]*:).*(?=@)|([?&]password=)[^&]*")


def render(loaded: Loaded[Settings]) -> str:
    """Return all settings, defaults included."""
    return "\n".join(_section(loaded, loaded.settings, (), "")).strip() + "\n"


def _section(loaded: Loaded[Settings], model: BaseModel, key: tuple[str | int, ...], header: str) -> Iterator[str]:
    values = model.model_dump(mode="json")
    sections: list[tuple[str, BaseModel, tuple[str | int, ...]]] = []
    if header:
        yield f"\n{header}"
    for name in type(model).model_fields:
        value = getattr(model, name)
        path = (*key, name)
        dotted = ".".join(str(part) for part in path if isinstance(part, str))
        if isinstance(value, BaseModel):
            sections.append((f"[{dotted}]", value, path))
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            sections += [(f"[[{dotted}]]", item, (*path, index)) for index, item in enumerate(value)]
        elif value is None:
            yield f"# {name} is not set"
        else:
            yield f"{name} = {_toml(values[name])}  # {loaded.origin(path)}"
    for section_header, section, path in sections:
        yield from _section(loaded, section, path, section_header)


def _toml(value: object) -> str:
    if isinstance(value, str):
        value = _URL_PASSWORD.sub(rf"\1\2{HIDDEN}", value)
    # JSON's strings, numbers, booleans and arrays of those are TOML's.
    return json.dumps(value, ensure_ascii=False)
