"""Reading settings: a TOML file, environment variables and the command line become one frozen model or one clear error.

What it is: the loader for any `Settings` model (the hub's, the bridge's). It is not the table of settings: that is the
model itself, see hub/settings/model.py.

What holds:
- The command line beats variables, variables beat the file, the file beats defaults; sections are merged key by key.
- A variable is the model's prefix and the dotted key with `__` for each dot: `http.port` is TELEMETRY_HUB_HTTP__PORT.
- Whatever begins with the prefix must name a setting: a misspelt variable stops the start as a misspelt key does.
- A problem names its key and where it came from, never its value: values may be secrets.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings import SettingsError as UnreadableVariableError

from hub.errors import SettingProblem, SettingsError

S = TypeVar("S", bound="Settings")
S_co = TypeVar("S_co", bound="Settings", covariant=True)
Tree = Mapping[str, object]

NESTING = "__"


class Settings(BaseSettings):
    """Base of a settings model: built in code (in a test) it has what it was given and defaults, nothing else.

    Reading the environment and files is left to `load`, which knows where each value came from.
    """

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library calls it by these names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep only what the constructor was given."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One origin of settings; `prefix` when each key is a variable of its own."""

    name: str
    values: Tree
    prefix: str | None = None

    def holds(self, key: Sequence[int | str]) -> bool:
        found: object = self.values
        for part in key:
            if isinstance(found, Sequence) and not isinstance(found, str):
                found = dict(enumerate(found))
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        return True

    def origin(self, key: Sequence[int | str], variables: Mapping[str, str]) -> str:
        """Name the file or the variable; a variable may hold a whole section as JSON."""
        if self.prefix is None:
            return self.name
        for length in range(len(key), 0, -1):
            variable = self.prefix + NESTING.join(str(part) for part in key[:length]).upper()
            if variable in variables:
                return f"variable {variable}"
        return self.name


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S_co]):
    """The settings and where each came from."""

    settings: S_co
    layers: tuple[_Layer, ...]
    variables: Mapping[str, str]

    def origin(self, key: Sequence[int | str]) -> str:
        """Return the origin of a key: a file, a variable, the command line or the default."""
        return next((layer.origin(key, self.variables) for layer in self.layers if layer.holds(key)), "default")


def load(model: type[S], config_file: Path | None = None, overrides: Tree | None = None) -> Loaded[S]:
    """Read all settings once.

    `overrides` is the command line's, nested as the model is. Raises SettingsError with every problem found.
    """
    prefix = model.model_config.get("env_prefix") or ""
    variables = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(prefix)}
    layers = (
        _Layer("command line", overrides or {}),
        _Layer("environment", _environment(model), prefix),
        *((_Layer(f"file {config_file}", _toml(config_file)),) if config_file else ()),
    )
    problems = _unknown_variables(model, prefix, variables)
    merged: Tree = {}
    for layer in reversed(layers):
        merged = _merge(merged, layer.values)
    try:
        settings = model.model_validate(merged)
    except ValidationError as error:
        problems += [
            SettingProblem(
                ".".join(str(part) for part in item["loc"]) or "settings",  # nowhere: what several say together
                _nearest_origin(layers, item["loc"], variables),
                "no such setting" if item["type"] == "extra_forbidden" else item["msg"],
            )
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    if problems:
        raise SettingsError(tuple(problems))
    return Loaded(settings, layers, variables)


def _nearest_origin(layers: tuple[_Layer, ...], key: Sequence[int | str], variables: Mapping[str, str]) -> str:
    """Return where a problem stands; for a missing key that is where its section is."""
    for length in range(len(key), 0, -1):
        for layer in layers:
            if layer.holds(key[:length]):
                return layer.origin(key, variables)
    return "default"


def _environment(model: type[Settings]) -> Tree:
    try:
        values: Tree = EnvSettingsSource(model)()
    except UnreadableVariableError as error:
        # Its sentence names the field, and not the value.
        raise SettingsError((SettingProblem("environment", "variable", f"{error}; it must be JSON"),)) from None
    return values


def _unknown_variables(model: type[Settings], prefix: str, variables: Mapping[str, str]) -> list[SettingProblem]:
    return [
        SettingProblem(key.replace(NESTING, "."), f"variable {name}", "no such setting")
        for name in sorted(variables)
        if (key := name.removeprefix(prefix).lower()).split(NESTING)[0] not in model.model_fields
    ]


def _toml(path: Path) -> Tree:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise SettingsError((SettingProblem("config", f"file {path}", f"cannot be read: {reason}"),)) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((SettingProblem("config", f"file {path}", f"is not TOML: {error}"),)) from None


def _merge(below: Tree, above: Tree) -> Tree:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
