"""The door: how the bytes of a record become items.

    bytes -> document -> unwrapped -> split into single events -> draft, by its format -> Event | Rejection

What comes out depends on the record, on the input where it was read, and on the door's settings. So a
recomputation that opens the same door reads the same.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streams.core.ingest.formats import FORMATS
from streams.core.ingest.zones import zones_version

AUTO = "auto"


class InputDoor(msgspec.Struct, frozen=True, array_like=True):
    """How the records of one input are read."""

    format: str = AUTO  # AUTO: each record shows it; or a name of formats.FORMATS
    mapping: Mapping[str, str] = {}  # field of an event -> path in the record, for the format that takes one
    zone: str | None = None  # the IANA zone of times without an offset


class Door(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Everything that decides how the bytes of a record become events."""

    readers: Mapping[str, int]  # the version of each format's reader
    inputs: Mapping[str, InputDoor] = {}  # by topic; one that is not named has InputDoor()
    skew_ms: int = 0  # how far ahead of its own record an event may be dated, and how far apart clocks may be
    placeholders: tuple[str, ...] = ()  # words that stand for no id, beside the shipped ones
    no_placeholders: tuple[str, ...] = ()  # shipped ones that are ids here
    orders: tuple[str, ...] = ()  # paths where an event has its order id
    zones: str = ""  # the version of the time zone database


def door_of(
    skew_ms: int,
    inputs: Mapping[str, InputDoor] | None = None,
    placeholders: Sequence[str] = (),
    no_placeholders: Sequence[str] = (),
    orders: Sequence[str] = (),
) -> Door:
    """The door of this start: how records are read by this release, under these settings."""
    readers = {name: known.version for name, known in FORMATS.items()}
    words, no_words = tuple(sorted(placeholders)), tuple(sorted(no_placeholders))
    return Door(
        readers=readers,
        inputs=inputs or {},
        skew_ms=skew_ms,
        placeholders=words,
        no_placeholders=no_words,
        orders=tuple(orders),
        zones=zones_version(),
    )


def is_readable(door: Door) -> bool:
    """True if this release reads records exactly as they were read through this door."""
    known = {name: format.version for name, format in FORMATS.items()}
    return door.zones == zones_version() and all(
        known.get(name) == version for name, version in door.readers.items()
    )
