"""The door: how the bytes of a record become items.

    bytes -> document -> unwrapped -> split into single events -> draft, by its format -> Event | Rejection

What comes out depends on the record, on the input where it was read, and on the door's settings. So a
recomputation that opens the same door reads the same.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from streams.core.ingest.apart import ApartRules
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.headers import READ_AS_HEADER, RawHeaders
from streams.core.ingest.robots import robots_version
from streams.core.ingest.zones import zones_version
from streams.records import Headers

AUTO = "auto"
MAX_READ_AS_BYTES = 64 * 1024  # of a header: somebody else may have set it; a mapping has a few lines
MAX_READ_AS = 64  # such headers that are remembered: people read files in a few ways


class InputDoor(msgspec.Struct, frozen=True, array_like=True):
    """How the records of one input are read."""

    format: str = AUTO  # AUTO: each record shows it; or a name of formats.FORMATS
    mapping: Mapping[str, str] = {}  # field of an event -> path in the record, for the format that takes one
    zone: str | None = None  # the IANA zone of times without an offset


def read_as(given: InputDoor) -> Headers:
    """The header of a record that is read so, whatever its input is said to have."""
    text = f"{given.format} {given.zone or ''}"
    if given.mapping:
        text += " " + msgspec.json.encode(given.mapping).decode()
    return ((READ_AS_HEADER, text.rstrip().encode()),)


def named_in(headers: RawHeaders) -> InputDoor | None:
    """How the headers of a record say that it is read; None if they don't."""
    for name, value in headers:
        if name == READ_AS_HEADER:
            return _named((value or b"")[:MAX_READ_AS_BYTES])
    return None


@lru_cache(MAX_READ_AS)
def _named(text: bytes) -> InputDoor:
    format, _, others = text.decode("utf-8", "replace").partition(" ")
    zone, _, mapping = others.partition(" ")
    try:
        fields = msgspec.json.decode(mapping or "{}", type=dict[str, str])
    except msgspec.MsgspecError:  # no release of this program wrote it
        fields = {}
    return InputDoor(format, fields, zone or None)


class Door(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Everything that decides how the bytes of a record become events."""

    readers: Mapping[str, int]  # the version of each format's reader
    inputs: Mapping[str, InputDoor] = {}  # by topic
    others: InputDoor = InputDoor()  # of inputs that are not named
    skew_ms: int = 0  # how far ahead of its own record an event may be dated, and how far apart clocks may be
    placeholders: tuple[str, ...] = ()  # words that stand for no id, beside the shipped ones
    no_placeholders: tuple[str, ...] = ()  # shipped ones that are ids here
    orders: tuple[str, ...] = ()  # paths where an event has its order id
    zones: str = ""  # the version of the time zone database
    apart: ApartRules = ApartRules()  # whose events are counted apart


def door_of(
    skew_ms: int,
    inputs: Mapping[str, InputDoor] | None = None,
    others: InputDoor = InputDoor(),  # noqa: B008  # it is immutable
    *,
    placeholders: Sequence[str] = (),
    no_placeholders: Sequence[str] = (),
    orders: Sequence[str] = (),
    apart: ApartRules | None = None,
) -> Door:
    """The door of this start: how records are read by this release, under these settings.

    `apart`: without it, robots and refusals are known by what is shipped.
    """
    readers = {name: known.version for name, known in FORMATS.items()}
    words, no_words = tuple(sorted(placeholders)), tuple(sorted(no_placeholders))
    return Door(
        readers=readers,
        inputs=inputs or {},
        others=others,
        skew_ms=skew_ms,
        placeholders=words,
        no_placeholders=no_words,
        orders=tuple(orders),
        zones=zones_version(),
        apart=ApartRules(robots_version()) if apart is None else apart,
    )


def is_readable(door: Door) -> bool:
    """True if this release reads records exactly as they were read through this door."""
    known = {name: format.version for name, format in FORMATS.items()}
    return (
        door.zones == zones_version()
        and door.apart.robots in ("", robots_version())
        and all(known.get(name) == version for name, version in door.readers.items())
    )
