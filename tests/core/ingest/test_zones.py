"""A zone's UTC offset is known at any instant."""

import pytest

from streams.core.ingest import zones
from streams.core.ingest.zones import zone_offset_quarters


@pytest.mark.parametrize(
    ("zone", "at_s", "offset"),
    [
        ("Europe/Rome", 1_711_846_799, 4),  # the second before 2024-03-31T01:00:00Z, when summer time begins
        ("Europe/Rome", 1_711_846_800, 8),
        ("Europe/Rome", 1_729_990_799, 8),  # 2024-10-27T01:00:00Z, when it ends
        ("Europe/Rome", 1_729_990_800, 4),
        ("Australia/Lord_Howe", 1_704_067_200, 44),
        ("Australia/Lord_Howe", 1_719_792_000, 42),
        ("Pacific/Chatham", 1_704_067_200, 55),
        ("America/St_Johns", 1_704_067_200, -14),
        ("Asia/Calcutta", 1_704_067_200, 22),  # an old name
        ("UTC", 1_704_067_200, 0),
        ("europe/rome", 1_704_067_200, 0),
        ("", 1_704_067_200, 0),
    ],
)
def test_offsets(zone: str, at_s: int, offset: int) -> None:
    """The offset is that of the zone's clocks, to the second; it is 0 for an unknown zone."""
    assert offset == zone_offset_quarters(zone, at_s * 1000)


def test_it_does_not_matter_what_was_asked_before() -> None:
    """A quarter hour has one offset, whatever was asked first, even if clocks changed within it.

    They did once in Newfoundland, at 00:01.
    """
    change_ms = 1_268_537_460_000  # 2010-03-14T03:31:00Z
    zones._quarters.clear()
    late_first = [zone_offset_quarters("America/St_Johns", at_ms) for at_ms in (change_ms, change_ms - 1)]
    zones._quarters.clear()
    early_first = [zone_offset_quarters("America/St_Johns", at_ms) for at_ms in (change_ms - 1, change_ms)]
    assert late_first == early_first == [-14, -14]
    assert -10 == zone_offset_quarters("America/St_Johns", change_ms + zones.QUARTER_MS)


def test_the_memory_is_bounded() -> None:
    """Ever new instants and names do not grow the process."""
    for n in range(zones.MAX_REMEMBERED_OFFSETS + 10):
        zone_offset_quarters("Nowhere", n * zones.QUARTER_MS + 1_704_067_200_000)
        zone_offset_quarters("x" * 100 + str(n % 10), n * zones.QUARTER_MS)
    assert len(zones._quarters) <= zones.MAX_REMEMBERED_OFFSETS
    assert all(len(name) <= zones.MAX_ZONE_CHARS for name, _ in zones._quarters)
