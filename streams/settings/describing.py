"""Lists every setting with its default and its meaning, for the page docs/settings.md."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from streams.settings.fields import shown
from streams.settings.fold import DimensionSettings, FoldSettings
from streams.settings.inputs import InputSettings
from streams.settings.problems import VARIABLE_PREFIX
from streams.settings.tables import TABLES, Settings


class SettingRow(NamedTuple):
    """One setting, as a row of a table."""

    key: str
    variable: str
    default: str
    meaning: str
    fold: bool  # fixed for the life of a data directory


def describe() -> list[SettingRow]:
    """Every setting that can be given, in the order of the classes."""
    return [
        SettingRow(
            key=key,
            variable=VARIABLE_PREFIX + key.replace(".", "__").upper(),
            default=default,
            meaning=meaning,
            fold=key.partition(".")[0] in FoldSettings.model_fields,
        )
        for key, default, meaning in _described(Settings, Settings().model_dump(mode="json"))
    ]


def _described(
    model: type[BaseModel], defaults: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        default = defaults[name]
        if name in ("patience", "identity", "kafka", "registry", "web", "dashboard", "announce"):
            yield from _described(TABLES[name], default, f"{name}.")
        elif name == "inputs" and model is Settings:
            yield from _described(InputSettings, InputSettings().model_dump(mode="json"), "inputs.<topic>.")
        elif name == "dimensions":
            yield from _described(DimensionSettings, _built_in(default), "dimensions.<name>.")
        else:
            yield f"{prefix}{name}", shown(default), field.description or ""


def _built_in(dimensions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The defaults of all built-in dimensions together, by field."""
    return {
        field: "; ".join(
            f"{name}: {shown(given[field])}" for name, given in dimensions.items() if given[field]
        )
        for field in DimensionSettings.model_fields
    }
