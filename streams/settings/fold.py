"""The settings that decide what is counted, called the fold settings: patience, windows, needs, dimensions,
identity.

They are fixed for the life of a data directory or an app id, since numbers counted under different settings
do not add up: `record` goes into the first checkpoint, and `difference` says what a later start would change.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

import msgspec
from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from streams.core.funnels.currencies import NO_CURRENCY, currency_number
from streams.core.funnels.dimensions import DEFAULT_DIMENSIONS, Dimension, Dimensions
from streams.core.moments.spec import ORDER_PATHS
from streams.errors import ConfigError
from streams.settings.durations import DAYS, HOURS, MINUTES, duration_text
from streams.settings.fields import (
    Duration,
    DurationOrZero,
    EventPath,
    EventPaths,
    SettingsTable,
    TextList,
    shown,
    text_list,
)
from streams.settings.identity import IdentitySettings

MAX_DIMENSIONS = 8  # each multiplies the counters
DIMENSION_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class PatienceSettings(SettingsTable):
    """How long a journey may be silent in each moment before it stalls. Milliseconds."""

    know: Duration = Field(3 * DAYS, description="A journey in *know* stalls after this silence.")
    go: Duration = Field(4 * HOURS, description="A journey in *go* stalls after this silence.")
    do: Duration = Field(24 * HOURS, description="A journey in *do* stalls after this silence.")
    buy: Duration = Field(1 * HOURS, description="A journey in *buy* stalls after this silence.")


class DimensionSettings(SettingsTable):
    """Something to count by. `streams.core.funnels.dimensions` checks whether it can be used."""

    values: Annotated[tuple[str, ...], NoDecode, TextList] = Field(
        description="The values that are counted, whatever their case. Any other value counts as `other`."
    )
    path: EventPath | None = Field(
        None,
        description=(
            "The path where an event has the value. Only `device` and `channel` need none: they are read "
            "from the usual places of an event."
        ),
    )
    aliases: dict[str, str] = Field(
        {}, description='Other words for these values, for example `{ italia = "it" }`.'
    )


BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    spec.name: {"values": list(spec.values), "path": spec.path, "aliases": dict(spec.aliases)}
    for spec in DEFAULT_DIMENSIONS
}


class FoldSettings(SettingsTable):
    """The settings that decide the counts. All durations are milliseconds of event time."""

    patience: PatienceSettings = Field(
        PatienceSettings(), description="How long a journey may be silent before it stalls."
    )
    abandon_after: Duration = Field(
        30 * DAYS,
        description="A journey is abandoned after this silence. It must be longer than every patience.",
    )
    allowed_lateness: Duration = Field(
        48 * HOURS,
        description=(
            "An event counts if it is not older than this, measured from the newest event of its partition. "
            "An older one goes to the topic `late`."
        ),
    )
    refund_window: Duration = Field(
        90 * DAYS,
        description=(
            "A purchase is remembered this long: a refund, or a repeat of its order id, that comes within it "
            "belongs to that purchase."
        ),
    )
    join_window: DurationOrZero = Field(
        30 * MINUTES,
        description=(
            "A second sign of a purchase within this time is the same purchase, unless order ids show that "
            "it is another one."
        ),
    )
    purchase_grace: DurationOrZero = Field(
        5 * MINUTES,
        description=(
            "A cart or a checkout within this time after a purchase is the rest of that purchase and opens "
            "no journey, unless order ids show that it is another one."
        ),
    )
    need: EventPaths = Field(
        (),
        description=(
            "The paths where an event names what it is about; the first one that the event has is taken. "
            "Without a path, each person has one need."
        ),
    )
    tenant: EventPath | None = Field(
        None,
        description="The path where an event names the tenant it belongs to. Without it there is one tenant.",
    )
    order_id: EventPaths = Field(
        ORDER_PATHS,
        description=(
            "The paths where a purchase, a refund or a checkout has its order id; the first one that the "
            "event has is taken. Rules read them, too: a guess is no purchase without an order."
        ),
    )
    value: EventPaths = Field(
        ("properties.total", "properties.revenue", "properties.value"),
        description=(
            "The paths where a purchase or a refund has its amount; the first one that the event has is "
            "taken. A refund's `properties.refunded_amount` comes before them."
        ),
    )
    currency: str | None = Field(
        None,
        description=(
            "The currency (ISO 4217, such as `EUR`) of amounts whose event names none. Without it they are "
            "no amounts."
        ),
    )
    identity: IdentitySettings = Field(
        IdentitySettings(), description="Whose it is what a device did without a user."
    )
    dimensions: dict[str, DimensionSettings] = Field(
        {name: DimensionSettings(**given) for name, given in BUILT_IN.items()},
        description="What journeys are counted by, beside `device` and `channel`.",
    )

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, given: str | None) -> str | None:
        if given is not None and currency_number(given) == NO_CURRENCY:
            raise ValueError(f"{given!r} is no currency: write a code of ISO 4217, such as EUR")
        return None if given is None else given.upper()

    @field_validator("dimensions", mode="before")
    @classmethod
    def _with_built_in(cls, given: object) -> object:
        """Puts the built-in dimensions first, then the others by name.

        The order is part of what is stored, so it must not depend on the order in which somebody wrote them.
        """
        if not isinstance(given, dict):
            return given
        names = [*BUILT_IN, *sorted(set(given) - set(BUILT_IN))]
        return {name: _dimension(name, given.get(name, {})) for name in names}

    @field_validator("dimensions")
    @classmethod
    def _usable(cls, given: dict[str, DimensionSettings]) -> dict[str, DimensionSettings]:
        for name in given:
            if not DIMENSION_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name: write small letters, digits and _, at most 32")
        if len(given) > MAX_DIMENSIONS:
            raise ValueError(f"{len(given)} are more than {MAX_DIMENSIONS}, device and channel included")
        try:
            Dimensions([Dimension(name, d.values, d.path, d.aliases) for name, d in given.items()])
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for moment, ms in self.patience:
            if ms >= self.abandon_after:
                raise ValueError(
                    f"patience.{moment} = {duration_text(ms)} must be shorter than abandon_after = "
                    f"{duration_text(self.abandon_after)}"
                )
        if self.join_window > self.refund_window:
            raise ValueError(
                f"join_window = {duration_text(self.join_window)} must not be longer than refund_window = "
                f"{duration_text(self.refund_window)}: a purchase is remembered that long"
            )
        if self.purchase_grace > self.refund_window:
            raise ValueError(
                f"purchase_grace = {duration_text(self.purchase_grace)} must not be longer than "
                f"refund_window = {duration_text(self.refund_window)}: a purchase is remembered that long"
            )
        return self

    def record(self) -> bytes:
        """Canonical JSON: equal settings give equal bytes. Durations are text."""
        fields = self.model_dump(mode="json", include=set(FoldSettings.model_fields))
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    def difference(self, stored: bytes) -> str | None:
        """One line per key that differs from an earlier `record`: `patience.buy: stored 1h, given 2h`.

        None if there is no difference. A setting that the release of the record did not have is one line.
        """
        unknown = FoldSettings.model_fields.keys() - json.loads(stored).keys()
        lines = [
            f"{name}: the release that folded the data did not have it, so no setting puts it back"
            for name in sorted(unknown)
        ]
        for it in differing_settings(stored, self.record()):
            if it.key.partition(".")[0] not in unknown:
                lines.append(f"{it.key}: stored {it.one}, given {it.other}")
        return "\n".join(lines) or None


class DifferingSetting(msgspec.Struct, frozen=True):
    """A key of which two records of fold settings say different things, as text."""

    key: str
    one: str
    other: str


def differing_settings(one: bytes, other: bytes) -> list[DifferingSetting]:
    """The keys that two records of fold settings (`record`) differ in, by name."""
    first, second = (dict(_leaves(json.loads(record))) for record in (one, other))
    return [
        DifferingSetting(key, first.get(key, "nothing"), second.get(key, "nothing"))
        for key in sorted(first.keys() | second.keys())
        if first.get(key) != second.get(key)
    ]


def _dimension(name: str, given: object) -> object:
    """Lays what was given over the built-in dimension of that name.

    New values keep those built-in aliases that still stand for one of them.
    """
    if name not in BUILT_IN or not isinstance(given, dict):
        return given
    merged = {**BUILT_IN[name], **given}
    if "values" in given and "aliases" not in given:
        values = text_list(given["values"])
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
