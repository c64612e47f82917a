"""A person's distance from UTC by the name of their time zone, for collectors that stamp in UTC but say where the person is.

Zones come from the pinned tzdata package, never from the machine's own files: two workers must not differ in an hour of the week.
"""

from datetime import UTC, datetime
from importlib import resources
from zoneinfo import ZoneInfo

QUARTER_MS = 900_000
MAX_QUARTERS = 16_384  # (zone, quarter hour) pairs remembered: 24 zones for a week of stream; about 3 MB
MAX_ZONE_CHARS = 64  # of a remembered name: the longest IANA name has 32

_zones: dict[str, ZoneInfo | None] = {}  # by name; filled from the list of zones there are, so bounded by it
_quarters: dict[tuple[str, int], int] = {}


def zone_offset_quarters(zone: str, at_ms: int) -> int:
    """The distance from UTC in quarter hours (floored) that held in an IANA zone at an instant; 0 for an unknown zone.

    `at_ms` must be within times.EARLIEST_MS .. LATEST_MS. Judged at the start of its quarter hour, so that what is remembered
    cannot depend on what came first: within a quarter hour of a change of clocks it may be the offset of just before.
    """
    key = zone, at_ms // QUARTER_MS
    known = _quarters.get(key)
    if known is None:
        known = _look_up(zone, key[1])
        if len(zone) <= MAX_ZONE_CHARS:
            if len(_quarters) >= MAX_QUARTERS:
                _quarters.clear()
            _quarters[key] = known
    return known


def _look_up(name: str, quarter: int) -> int:
    if not _zones:
        _zones.update(dict.fromkeys(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()))
    if name not in _zones:  # also what keeps a path such as ../../etc from being opened
        return 0
    zone = _zones[name]
    if zone is None:
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
            zone = _zones[name] = ZoneInfo.from_file(data, name)
    offset = datetime.fromtimestamp(quarter * QUARTER_MS // 1000, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "a zone always knows its offset"
    return int(offset.total_seconds()) // (QUARTER_MS // 1000)
