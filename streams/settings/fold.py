"""The settings that decide what is counted: patience, windows, needs, dimensions.

They are fixed for the life of a data directory (later: an app id), since numbers folded under different rules do not add up:
`record` goes into the first checkpoint, and `difference` says what a later start would change.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

import streams.core.funnels.dimensions as funnels
from streams.errors import ConfigError
from streams.settings.durations import DAY, HOUR, MINUTE, duration_text, parse_duration

MAX_DIMENSIONS = 8  # each multiplies the counters
MAX_PATHS = 16  # looked up in every event, one after the other

PATH = re.compile(r"(properties|context)(\.[^.\s]+)+|channel|name|type")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def _texts(value: object) -> object:
    """A list; from the environment also `a, b` or a JSON list; from a file also a single text."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('is no JSON list: write a, b or ["a", "b"]') from None


def _path(value: str) -> str:
    if not PATH.fullmatch(value):
        raise ValueError("is no path into an event: write properties.x, context.x.y, channel, name or type")
    return value


def _positive(ms: int) -> int:
    if ms <= 0:
        raise ValueError("must be longer than nothing")
    return ms


Wait = Annotated[
    int, BeforeValidator(parse_duration), PlainSerializer(duration_text)
]  # milliseconds; may be 0
Duration = Annotated[Wait, AfterValidator(_positive)]  # milliseconds
EventPath = Annotated[str, AfterValidator(_path)]
EventPaths = Annotated[tuple[EventPath, ...], NoDecode, BeforeValidator(_texts), Field(max_length=MAX_PATHS)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Patience(_Model):
    """How long a journey may be silent in each moment before it has stalled. Milliseconds."""

    know: Duration = Field(3 * DAY, description="silence after which a journey in *know* has stalled")
    go: Duration = Field(4 * HOUR, description="the same in *go*")
    do: Duration = Field(24 * HOUR, description="the same in *do*")
    buy: Duration = Field(1 * HOUR, description="the same in *buy*")


class Dimension(_Model):
    """Something to count by. What makes one usable is told by `streams.core.funnels.dimensions`, where it is used."""

    values: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_texts)] = Field(
        description="what it can be, compared without regard to case; anything else is `other`"
    )
    path: EventPath | None = Field(
        None,
        description="where in an event it stands; none, for `device` and `channel` alone: in the usual places",
    )
    aliases: dict[str, str] = Field({}, description='other words for these values, e.g. `{ italia = "it" }`')


BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    spec.name: {"values": list(spec.values), "path": spec.path, "aliases": dict(spec.aliases)}
    for spec in funnels.DEFAULT_DIMENSIONS
}


class Fold(_Model):
    """What decides the counts. All durations are milliseconds of event time."""

    patience: Patience = Field(Patience(), description="silence after which a journey has stalled")
    abandon_after: Duration = Field(
        30 * DAY, description="silence after which a journey is abandoned; longer than every patience"
    )
    allowed_lateness: Duration = Field(
        48 * HOUR,
        description="how much older than the newest event of its partition an event may be and still count",
    )
    refund_window: Duration = Field(
        90 * DAY,
        description="how long after a purchase a refund, or its order id once more, still belongs to it",
    )
    join_window: Wait = Field(
        30 * MINUTE,
        description="how long after a purchase another sign of one is the same purchase, if order ids do not tell",
    )
    need: EventPaths = Field(
        (), description="where an event says what it is about, first match wins; none: all is one need"
    )
    tenant: EventPath | None = Field(
        None, description="where an event says whose customer it is about; none: one tenant"
    )
    home: Literal["murmur2", "input"] = Field(
        "murmur2",
        description=(
            "which partition a person lives in: `murmur2`, the one where Java clients put a record that is keyed by the person's id, and events found"
            " elsewhere are handed over; `input`, wherever the input puts them, if each person's events are in one partition by another hash"
        ),
    )
    order_id: EventPaths = Field(
        ("properties.order_id", "properties.orderId", "properties.transaction_id"),
        description="where a purchase or refund has its order id, first match wins",
    )
    dimensions: dict[str, Dimension] = Field(
        {name: Dimension(**given) for name, given in BUILT_IN.items()},
        description="what to count by, beside `device` and `channel`",
    )

    @field_validator("dimensions", mode="before")
    @classmethod
    def _beside_the_built_in(cls, given: object) -> object:
        """The built-in ones first, then the others by name: the order is part of what is stored, so it must not depend on who wrote it down."""
        if not isinstance(given, dict):
            return given
        return {
            name: _dimension(name, given.get(name, {}))
            for name in [*BUILT_IN, *sorted(set(given) - set(BUILT_IN))]
        }

    @field_validator("dimensions")
    @classmethod
    def _countable(cls, given: dict[str, Dimension]) -> dict[str, Dimension]:
        for name in given:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name: write small letters, digits and _, at most 32")
        if len(given) > MAX_DIMENSIONS:
            raise ValueError(
                f"{len(given)} of them are more than {MAX_DIMENSIONS}, device and channel included"
            )
        try:
            funnels.Dimensions(
                [funnels.Dimension(name, d.values, d.path, d.aliases) for name, d in given.items()]
            )
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return given

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        for moment, ms in self.patience:
            if ms >= self.abandon_after:
                raise ValueError(
                    f"patience.{moment} = {duration_text(ms)} must be shorter than abandon_after = {duration_text(self.abandon_after)}"
                )
        if self.join_window > self.refund_window:
            join, refund = duration_text(self.join_window), duration_text(self.refund_window)
            raise ValueError(
                f"join_window = {join} must not be longer than refund_window = {refund}: a purchase is remembered that long"
            )
        return self

    def record(self) -> bytes:
        """Canonical JSON: equal settings give equal bytes. Durations are text."""
        return json.dumps(
            self.model_dump(mode="json", include=set(Fold.model_fields)),
            sort_keys=True,
            separators=(",", ":"),
        ).encode()

    def difference(self, stored: bytes) -> str | None:
        """None, or one line per key that differs from what `record` once gave: `patience.buy: stored 1h, given 2h`."""
        before, now = (dict(_leaves(json.loads(record))) for record in (stored, self.record()))
        lines = [
            f"{key}: stored {before.get(key, 'nothing')}, given {now.get(key, 'nothing')}"
            for key in sorted(before.keys() | now.keys())
            if before.get(key) != now.get(key)
        ]
        return "\n".join(lines) or None


def _dimension(name: str, given: object) -> object:
    """What was given of a dimension over what is built in. Of the built-in aliases those stay that still are other words for one of the values."""
    if name not in BUILT_IN or not isinstance(given, dict):
        return given
    merged = {**BUILT_IN[name], **given}
    if "values" in given and "aliases" not in given:
        values = _texts(given["values"])
        known = {str(value).lower() for value in values} if isinstance(values, list) else set()
        merged["aliases"] = {
            word: value for word, value in merged["aliases"].items() if value in known and word not in known
        }
    return merged


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, f"{key}.{name}" if key else name)
    else:
        yield key, shown(value)


def shown(value: object) -> str:
    """A setting's value as one word or a list of words."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, dict):
        value = [f"{name} = {member}" for name, member in value.items()]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
