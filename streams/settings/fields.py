"""What the tables of settings share: their base class, and the types of their fields.

A type reads a value as people write it in a file, a variable or a flag, and refuses it with a text that says
what would be right.
"""

import json
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr
from pydantic_settings import NoDecode

from streams.settings.durations import duration_text, parse_duration

HIDDEN_VALUE = "***"
MAX_EVENT_PATHS = 16  # each is looked up in every event, one after the other

EVENT_PATH = re.compile(r"(properties|context)(\.[^.\s]+)+|channel|name|type")


class SettingsTable(BaseModel):
    """A table of settings: immutable, and a key that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def text_list(value: object) -> object:
    """Turns one text into a list: `a, b` or JSON, as a variable of the environment holds it.

    Any other value stays as it is.
    """
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('is no JSON list: write a, b or ["a", "b"]') from None


def shown(value: object) -> str:
    """A setting's value as one word or a list of words."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()  # as TOML has it
    if isinstance(value, dict):
        value = [f"{name} = {member}" for name, member in value.items()]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _event_path(value: str) -> str:
    if not EVENT_PATH.fullmatch(value):
        raise ValueError("is no path into an event: write properties.x, context.x.y, channel, name or type")
    return value


def _positive(ms: int) -> int:
    if ms <= 0:
        raise ValueError("must be longer than nothing")
    return ms


TextList = BeforeValidator(text_list)
"""Marks a field that takes a list of texts."""

DurationOrZero = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(duration_text)]
"""In milliseconds."""

Duration = Annotated[DurationOrZero, AfterValidator(_positive)]
"""In milliseconds."""

EventPath = Annotated[str, AfterValidator(_event_path)]
EventPaths = Annotated[tuple[EventPath, ...], NoDecode, TextList, Field(max_length=MAX_EVENT_PATHS)]

Secret = Annotated[SecretStr, PlainSerializer(lambda _: HIDDEN_VALUE)]
"""A text that is never shown: not in a message, a repr or a dump."""
