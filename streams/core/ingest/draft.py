"""What the reader of a format makes of an event: each part where the format has it, as it was found.

A reader judges nothing. It says where ids, times, name, properties and context stand; `judging.py` makes an
Event or a Rejection of that, in the same way for every format.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from streams.core.ingest.repairs import Repair


class Found(NamedTuple):
    """A value and where it stood: the path is for messages, as `properties.$device_id`."""

    path: str
    value: Any


class Unit(Enum):
    """What a time is written in."""

    TEXT = 0  # a text with a date; a number is an epoch time, whose unit its digits show
    UTC_TEXT = 1  # the same, and a text without an offset is in UTC by the format's own rule
    SECONDS = 1_000_000_000  # since 1970, as a number or its digits; in nanoseconds each
    MILLISECONDS = 1_000_000
    MICROSECONDS = 1000


class Stamp(NamedTuple):
    """A time as it was found. `corrected`: the tool has already corrected it by its own clock."""

    path: str
    value: Any
    unit: Unit = Unit.TEXT
    corrected: bool = False


class Draft(msgspec.Struct, gc=False):
    """One event as a reader found it. Of several candidates the first that can be used counts."""

    type: str  # track, page, screen, identify, or another call, which shows no intent: alias, group
    names: tuple[Found, ...]  # of the event, page or screen
    ids: tuple[Found, ...]  # of the event; without any, it is a fingerprint of `identity`
    users: tuple[Found, ...]
    devices: tuple[Found, ...]
    happened: tuple[Stamp, ...]  # when the event happened
    properties: Found
    context: Found
    identity: Any = None  # what tells the event from others where it has no id; None: the whole document
    sent: Stamp | None = None  # when the device sent it, by the device's clock
    received: Stamp | None = None  # when it arrived, by the server's clock
    channel: Found | None = None  # web, app, server, store ...
    zone: str | None = None  # the person's IANA time zone
    offset_minutes: int | None = None  # of the person's clock from UTC, east positive, where it is known
    arrives_when_it_happens: bool = False  # without any time, the record's own time is the event's
    repairs: tuple[Repair, ...] = ()  # what the reader itself had to repair


def at(document: Any, path: str) -> Any:
    """The value at a dotted path through objects; None if there is none."""
    for key in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def pick(document: Any, *paths: str) -> tuple[Found, ...]:
    """What stands at these paths, without null and empty text."""
    found = ((path, at(document, path)) for path in paths)
    return tuple([Found(path, value) for path, value in found if value is not None and value != ""])


def stamps(
    document: Any, paths: Iterable[str], unit: Unit = Unit.TEXT, *, corrected: bool = False
) -> tuple[Stamp, ...]:
    """The times at these paths, without null and empty text."""
    return tuple([Stamp(path, value, unit, corrected) for path, value in pick(document, *paths)])


def stamp(document: Any, *paths: str, unit: Unit = Unit.TEXT) -> Stamp | None:
    """The first time at these paths."""
    return next(iter(stamps(document, paths, unit)), None)
