"""Finds a person's UTC offset by the name of their time zone: many collectors write all times in UTC.

Zones come from the pinned tzdata package, never from the machine's own files: two workers must compute the
same local hour for one event.
"""

from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from zoneinfo import ZoneInfo

QUARTER_MS = 900_000
# (zone, quarter hour) pairs that are remembered: 24 zones for a week; about 3 MB.
MAX_REMEMBERED_OFFSETS = 16_384
MAX_ZONE_CHARS = 64  # longer names are not remembered; the longest IANA name has 32

_zones: dict[str, ZoneInfo | None] = {}  # by name; filled from the list of all zones, so bounded by it
_quarters: dict[tuple[str, int], int] = {}


def zone_offset_quarters(zone: str, at_ms: int) -> int:
    """The UTC offset of an IANA zone at an instant, in quarter hours (floored); 0 for an unknown zone.

    `at_ms` must be within times.EARLIEST_MS .. LATEST_MS. The offset is that of the start of the quarter
    hour, so that what is remembered cannot depend on what came first. When clocks change within a quarter
    hour, the old offset holds.
    """
    key = zone, at_ms // QUARTER_MS
    known = _quarters.get(key)
    if known is None:
        known = _look_up(zone, key[1])
        if len(zone) <= MAX_ZONE_CHARS:
            if len(_quarters) >= MAX_REMEMBERED_OFFSETS:
                _quarters.clear()
            _quarters[key] = known
    return known


def is_zone(name: str) -> bool:
    """True if this is the name of an IANA zone."""
    return _zone(name) is not None


def instant_of_local(zone: str, local_ms: int) -> int | None:
    """The instant at which clocks of an IANA zone show a local time, both in milliseconds; None for an
    unknown zone.

    Where clocks show a time twice, it is the first; where they skip it, it is as long after the change.
    """
    known = _zone(zone)
    if known is None:
        return None
    shown = datetime.fromtimestamp(local_ms // 1000, UTC).replace(tzinfo=known)
    offset = shown.utcoffset()
    assert offset is not None, "a zone always knows its offset"
    return local_ms - int(offset.total_seconds()) * 1000


def _look_up(name: str, quarter: int) -> int:
    zone = _zone(name)
    if zone is None:
        return 0
    offset = datetime.fromtimestamp(quarter * QUARTER_MS // 1000, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "a zone always knows its offset"
    return int(offset.total_seconds()) // (QUARTER_MS // 1000)


def _zone(name: str) -> ZoneInfo | None:
    if not _zones:
        _zones.update(dict.fromkeys(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()))
    if name not in _zones:  # this also keeps a path such as ../../etc from being opened
        return None
    zone = _zones[name]
    if zone is None:
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
            zone = _zones[name] = ZoneInfo.from_file(data, name)
    return zone


@cache
def zones_version() -> str:
    """The version of the time zone database that this release reads, such as 2025.2."""
    return metadata.version("tzdata")
