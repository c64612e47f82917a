"""Made-up people come when they are awake."""

import json
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.sources.generator import Shop
from streams.sources.rhythm import DAY_SHARES, HOUR_SHARES, ZONES, Rhythm, paced

MONDAY_MS = 1_736_121_600_000  # 6 January 2025, 00:00 UTC
HOUR_MS, WEEK_MS = 3_600_000, 7 * 86_400_000


def test_an_average_hour_is_one() -> None:
    """So a rate stays what it is, over a week."""
    assert 1 == pytest.approx(sum(HOUR_SHARES) / 24) == pytest.approx(sum(DAY_SHARES) / 7)
    rhythm = Rhythm()
    week = [rhythm.of_everybody(MONDAY_MS + hour * HOUR_MS) for hour in range(168)]
    assert 1 == pytest.approx(sum(week) / 168)


def test_the_clock_is_the_persons_own() -> None:
    """Four in the morning is night in Rome, and evening in New York."""
    rhythm, four_ms = Rhythm(), MONDAY_MS + 3 * HOUR_MS
    assert 0.12 * 0.95 == pytest.approx(rhythm.of_zone("Europe/Rome", four_ms))
    assert 1.5 * 1.1 == pytest.approx(rhythm.of_zone("America/New_York", four_ms))  # 22:00 on Sunday


def test_events_follow_the_rhythm() -> None:
    """As many as without it in a week, most of them in the evening of whoever made them, few at night."""
    every_ms = 60_000
    shop = Shop(1, 1000 / every_ms, 2_000, rhythm=Rhythm())
    times = list(paced(MONDAY_MS, MONDAY_MS + WEEK_MS, every_ms, shop.busy))
    assert WEEK_MS / every_ms == pytest.approx(len(times), rel=0.01)
    hours: Counter[tuple[str, int]] = Counter()
    for at_ms in times:
        record = shop.next(at_ms)
        if record.key:
            zone = json.loads(record.value)["context"]["timezone"]
            hours[zone, datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).hour] += 1
    for zone, _ in ZONES:
        mean = sum(n for (of, _), n in hours.items() if of == zone) / 24
        assert sum(hours[zone, hour] for hour in range(1, 6)) / 5 < 0.4 * mean
        assert sum(hours[zone, hour] for hour in (19, 20, 21)) / 3 > 1.4 * mean
