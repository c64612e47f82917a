"""Reads the settings of a start: a flag beats a variable, a variable beats the file.

`streams.toml` holds any of the keys, tables by dots. The environment has them as `STREAMS_` and the path,
with `__` for the dots (`STREAMS_PATIENCE__BUY=2h`).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from streams.errors import ConfigError
from streams.settings.problems import VARIABLE_PREFIX, problem, unknown_variables
from streams.settings.tables import Settings

SETTINGS_FILE = Path("streams.toml")


class _Environment(Settings, BaseSettings):
    """Reads the environment and nothing else: `load` puts the sources together."""

    model_config = SettingsConfigDict(
        env_prefix=VARIABLE_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )


def load_settings(file: Path | None = None, **flags: Any) -> Settings:
    """The settings of this start. A flag that is None was not given.

    Without a file, `streams.toml` of the working directory is read if it is there. Raises ConfigError, with a
    line for each key that is wrong.
    """
    from_file = _read(file or SETTINGS_FILE) if file is not None or SETTINGS_FILE.is_file() else {}
    from_flags = _given(flags)
    problems = unknown_variables()
    try:
        from_environment = EnvSettingsSource(_Environment)()
    except SettingsError as error:
        raise ConfigError(
            f"environment: {error}: give each key of a table its own variable, as in "
            f"{VARIABLE_PREFIX}PATIENCE__BUY=2h"
        ) from error
    try:
        settings = Settings.model_validate(_joined(_joined(from_file, from_environment), from_flags))
    except ValidationError as error:
        problems += [problem(details, str(file or SETTINGS_FILE), from_flags) for details in error.errors()]
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"settings file {file} does not exist: name one that does, or leave it out to use "
            f"{SETTINGS_FILE}, the environment and flags"
        ) from error
    except OSError as error:
        raise ConfigError(f"settings file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"settings file {file} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {file} is not TOML: {error}") from error


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that are not None, in tables too; a table without any is left out."""
    given = {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in flags.items()
        if value is not None
    }
    return {name: value for name, value in given.items() if value != {}}


def _joined(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of both; `above` wins where both have one. Tables are joined key by key."""
    joined = dict(below)
    for key, value in above.items():
        under = joined.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = _joined(under, value)
        joined[key] = value
    return joined
