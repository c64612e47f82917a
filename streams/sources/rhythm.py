"""When people visit a made-up shop: hardly at night, most in the evening, more on weekends, by their own
clocks.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.core.ingest.zones import QUARTER_MS

# Of an average hour, by the hour of the day. The mean is 1.
HOUR_SHARES = (
    0.3, 0.12, 0.12, 0.12, 0.12, 0.12, 0.35, 0.7, 0.95, 1.2, 1.3, 1.35,
    1.4, 1.35, 1.25, 1.25, 1.3, 1.4, 1.6, 1.7, 1.8, 1.8, 1.5, 0.9,
)  # fmt: skip
DAY_SHARES = (0.95, 0.95, 0.95, 0.95, 1.0, 1.1, 1.1)  # from Monday on; the mean is 1
BUSIEST_SHARE = max(HOUR_SHARES) * max(DAY_SHARES)
ZONES = (("Europe/Rome", 6), ("Europe/London", 2), ("America/New_York", 2))  # of ten people

MAX_REMEMBERED = 10_000  # quarters of zones: a month of three


class Rhythm:
    """How busy people are with shopping at a time. 1 is the average of a week."""

    def __init__(self) -> None:
        self._zones = {name: ZoneInfo(name) for name, _ in ZONES}
        self._known: dict[tuple[str, int], float] = {}

    def of_zone(self, zone: str, now_ms: int) -> float:
        """That of the people of a zone."""
        quarter = now_ms // QUARTER_MS  # an hour of any zone begins with a quarter
        found = self._known.get((zone, quarter))
        if found is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self._zones[zone])
            found = self._known[zone, quarter] = HOUR_SHARES[local.hour] * DAY_SHARES[local.weekday()]
        return found

    def of_everybody(self, now_ms: int) -> float:
        """That of the people of all zones."""
        people = sum(people for _, people in ZONES)
        return sum(self.of_zone(zone, now_ms) * share for zone, share in ZONES) / people


def paced(start_ms: int, end_ms: int, every_ms: float, busy: Callable[[int], float]) -> Iterator[int]:
    """Times of events, `every_ms` from one to the next when `busy` is 1, and closer where it is more."""
    at_ms = float(start_ms)
    while at_ms < end_ms:
        yield round(at_ms)
        at_ms += every_ms / busy(round(at_ms))
