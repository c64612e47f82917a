"""Everything a user can set: file < environment < flags.

`streams.toml` holds any of these keys (tables by dots); the environment has them as `STREAMS_` + path with `__` for the dots
(`STREAMS_PATIENCE__BUY=2h`). docs/settings.md is generated from the descriptions below.

The *fold settings* decide what is counted. They are fixed for the life of a data directory (later: an app id): they are recorded
with the first checkpoint, and a start with others is refused, since numbers folded under different rules do not add up.
"""

import re
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}
