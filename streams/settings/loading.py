"""Everything a user can set: file < environment < flags.

`streams.toml` holds any of these keys (tables by dots); the environment has them as `STREAMS_` + path with `__` for the dots
(`STREAMS_PATIENCE__BUY=2h`). docs/settings.md is generated from the descriptions of the fields.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict, SettingsError

from streams.errors import ConfigError
from streams.settings.durations import MINUTE
from streams.settings.fold import Dimension, Duration, Fold, Patience, Wait, _texts, shown
from streams.settings.host import Announce, Web
from streams.settings.kafka import HIDDEN, Kafka

FILE = Path("streams.toml")
PREFIX = "STREAMS_"
MAX_PARTITIONS = 1_024  # one agent each: more than that is more than one process should own
MAX_BATCH = 50_000  # events of one transaction: all its effects are in memory at once, about 1 kB each
NOT_OURS = re.compile(
    r"STREAMS_(SERVICE_.*|PORT(_\d+_.*)?)"
)  # what Kubernetes sets in every container beside a service called `streams`

FLAGS = {
    "kafka.bootstrap": "--kafka",
    "kafka.app": "--app",
    "kafka.inputs": "--input",
}  # those that are not called like their keys

__all__ = [
    "FILE",
    "Announce",
    "Dimension",
    "Fold",
    "Kafka",
    "Patience",
    "Row",
    "Settings",
    "Web",
    "describe",
    "load",
]


class Settings(Fold):
    """All settings. `fold` is the part that a data directory keeps."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a password may be among it

    data_dir: Path = Field(Path("data"), description="where the embedded log and its state live")
    rules: Path | None = Field(
        None, description="a rules file of your own (TOML), read before the shipped rules"
    )
    partitions: int | None = Field(
        None,
        ge=1,
        le=MAX_PARTITIONS,
        description="of a new data directory, 1 to 1024; none: chosen when it is made",
    )
    batch: int = Field(5_000, ge=1, le=MAX_BATCH, description="events committed at once at most, 1 to 50000")
    skew: Wait = Field(
        10 * MINUTE,
        description="how far ahead of its own arrival an event may be dated; beyond, it is rejected (`from_the_future`)",
    )
    idle_after: Duration = Field(
        1 * MINUTE,
        description="how long a partition without new events waits before the wall clock moves its timers",
    )
    exclude_after: Duration = Field(
        10 * MINUTE,
        description="how long a partition that hands events over may say nothing before the others go on without it",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="how the program's own log is written: `console` or `json`"
    )
    agents: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_texts)] = Field(
        (),
        description="agents of your own that run in the workers: Python files (`my_agents.py`) or modules (`shop.agents`)",
    )
    kafka: Kafka = Field(Kafka(), description="the cluster")
    web: Web = Field(Web(), description="health and metrics")
    announce: Announce = Field(Announce(), description="transitions for a webhook")

    @property
    def fold(self) -> Fold:
        """The fold settings alone."""
        return Fold.model_construct(**{name: getattr(self, name) for name in Fold.model_fields})


TABLES: Mapping[str | None, type[BaseModel]] = {
    None: Settings,
    "patience": Patience,
    "dimensions": Dimension,
    "kafka": Kafka,
    "web": Web,
    "announce": Announce,
}

SAID = {
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "path_type": "must be a path",
    "string_type": "must be text",
}


class _Environment(Settings, BaseSettings):
    """Reads the environment, nothing else: the parts are put together in `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)


def load(file: Path | None = None, **flags: Any) -> Settings:
    """The settings of this start. A flag that is None was not given.

    `streams.toml` of the working directory counts if it is there and no file is named. Raises ConfigError, one line per key that is wrong.
    """
    from_file = _read(file or FILE) if file is not None or FILE.is_file() else {}
    from_flags = _given(flags)
    strangers = [
        _stranger(name)
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and not NOT_OURS.fullmatch(name.upper())
    ]
    try:
        from_environment = EnvSettingsSource(_Environment)()
    except SettingsError as error:
        raise ConfigError(
            f"environment: {error}: give each key of a table its own variable, as in {PREFIX}PATIENCE__BUY=2h"
        ) from error
    lines = [line for line in strangers if line]
    try:
        settings = Settings.model_validate(_over(_over(from_file, from_environment), from_flags))
    except ValidationError as error:
        lines += [_line(details, str(file or FILE), from_flags) for details in error.errors()]
    if lines:
        raise ConfigError("\n".join(lines))
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"settings file {file} does not exist: name one that does, or leave it out to use {FILE}, the environment and flags"
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
    """Without those that are None, in tables too."""
    given = {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in flags.items()
        if value is not None
    }
    return {name: value for name, value in given.items() if value != {}}


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the upper one's where they disagree; tables are joined key by key."""
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = (
            _over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
        )
    return both


def _stranger(variable: str) -> str | None:
    """A line about a variable that has our prefix and is no setting. What is wrong below a known first key is found with the values."""
    key, _, below = variable[len(PREFIX) :].lower().partition("__")
    if key in Settings.model_fields and (key in TABLES or not below):
        return None
    return f"{variable} is no setting{_meant(key, Settings.model_fields)}"


def _line(details: ErrorDetails, file: str, flags: Mapping[str, Any]) -> str:
    """`key = value: what would be right (where it came from)`."""
    path = [str(part) for part in details["loc"]]
    key, said = ".".join(path), details["msg"].removeprefix("Value error, ")
    if details["type"] == "extra_forbidden":
        said = f"no such setting{_meant(path[-1], TABLES[path[0] if len(path) > 1 else None].model_fields)}"
    elif details["type"] in SAID:
        said = SAID[details["type"]]
    elif details["type"] == "missing":
        return f"{key}: is missing ({_origin(path, file, flags)})"
    elif not isinstance(details["input"], str | int | float | list) or not path:
        return said if not path or said.startswith(f"{key}.") else f"{key}: {said}"
    return f"{key} = {HIDDEN if _secret(path) else repr(details['input'])}: {said} ({_origin(path, file, flags)})"


def _secret(path: list[str]) -> bool:
    """Whether a value must not be shown. In a table that holds a secret, that of a key that does not exist: it may be the secret, misspelt."""
    fields = TABLES.get(path[0] if len(path) > 1 else None, Settings).model_fields
    field = fields.get(path[1] if len(path) > 1 else path[0])
    secrets = [name for name, known in fields.items() if "SecretStr" in str(known.annotation)]
    return bool(secrets) if field is None else path[-1] in secrets


def _origin(path: list[str], file: str, flags: Mapping[str, Any]) -> str:
    given: Any = flags
    for depth, part in enumerate(path, 1):
        if not isinstance(given, Mapping) or part not in given:
            break
        given = given[part]
        if depth == len(path) or not isinstance(given, Mapping):
            key = ".".join(path[:depth])
            return FLAGS.get(key) or "--" + key.replace("_", "-").replace(".", "-")
    set_here = {name.upper() for name in os.environ}
    for depth in range(len(path), 0, -1):
        if (variable := PREFIX + "__".join(path[:depth]).upper()) in set_here:
            return variable
    return file


def _meant(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


class Row(NamedTuple):
    """One setting, for a table."""

    key: str
    variable: str
    default: str
    meaning: str
    fold: bool  # fixed for the life of a data directory


def describe() -> list[Row]:
    """Every setting that can be given, in the order of the classes above."""
    return [
        Row(
            key,
            PREFIX + key.replace(".", "__").upper(),
            default,
            meaning,
            key.partition(".")[0] in Fold.model_fields,
        )
        for key, default, meaning in _described(Settings, Settings().model_dump(mode="json"))
    ]


def _described(
    model: type[BaseModel], defaults: Mapping[str, Any], under: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        default = defaults[name]
        if name == "patience":
            yield from _described(Patience, default, "patience.")
        elif name in ("kafka", "web", "announce"):
            yield from _described(TABLES[name], default, f"{name}.")
        elif name == "dimensions":
            built_in = {
                part: "; ".join(
                    f"{dimension}: {shown(given[part])}"
                    for dimension, given in default.items()
                    if given[part]
                )
                for part in Dimension.model_fields
            }
            yield from _described(Dimension, built_in, "dimensions.<name>.")
        else:
            yield f"{under}{name}", shown(default), field.description or ""
