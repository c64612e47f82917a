"""A transaction that stays open is logged once, and once when it has ended."""

from prometheus_client.parser import text_string_to_metric_families

from streams.records import HiddenOffsets
from streams.runtime.open_transaction_watch import LOGGED_AFTER_S, OpenTransactionWatch
from streams.telemetry.meters import Meters
from tests.runtime.crew import Line, logger_into
from tests.runtime.virtual import run
from tests.telemetry.fixed import FixedClock
from tests.telemetry.steps import step

BEGAN_S = 1_000.0


def open_s(meters: Meters) -> dict[str, float]:
    """How long transactions are open, by source, as /metrics shows it."""
    return {
        sample.labels["source"]: sample.value
        for family in text_string_to_metric_families(meters.render().decode())
        if family.name == "streams_open_transaction_seconds"
        for sample in family.samples
    }


class Watched:
    """A watch whose clock a test moves."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.clock = FixedClock(BEGAN_S)
        self.meters = Meters(self.clock)
        self.watch = OpenTransactionWatch(
            3, meters=self.meters, logger=logger_into(self.lines, "a"), clock=self.clock
        )

    def sees(self, after_s: float, **hidden: tuple[int, int]) -> None:
        """A step so long after the beginning, with what is hidden by source: first offset, offsets."""
        self.clock.now_s = BEGAN_S + after_s
        last = step(3, hidden={source: HiddenOffsets(*found) for source, found in hidden.items()})
        self.meters.committed(last)
        self.watch.observe(last)

    @property
    def logged(self) -> list[tuple[str, object, object]]:
        return [(line.event, line.about["source"], line.about.get("records")) for line in self.lines]


async def one_that_stays() -> None:
    watched = Watched()
    for after_s in range(0, int(LOGGED_AFTER_S) + 5):
        watched.sees(after_s, clicks=(7, 100 + after_s))
    assert [("blocked", "clicks", 100 + int(LOGGED_AFTER_S))] == watched.logged
    assert "1970-01-01T00:16:40.000Z" == watched.lines[0].about["since"]
    assert {"clicks": "1970-01-01T00:16:40.000Z"} == watched.watch.blocked
    assert {"clicks": LOGGED_AFTER_S + 4} == open_s(watched.meters)
    watched.sees(60)
    assert ("unblocked", "clicks", None) == watched.logged[1]
    assert 60 == watched.lines[1].about["seconds"]
    assert ({}, {}) == (watched.watch.blocked, open_s(watched.meters))


def test_one_that_stays_is_logged_once() -> None:
    """Its line has when it was seen first and what is behind it; the figure grows; its end is logged."""
    run(one_that_stays())


async def many_short_ones() -> None:
    watched = Watched()
    for after_s in range(0, 100, 2):
        watched.sees(after_s, clicks=(after_s, 5))
    assert [] == watched.logged
    assert {"clicks": 0} == open_s(watched.meters)


def test_a_collector_that_always_has_one_open_is_not_logged() -> None:
    """Each of its transactions begins at another offset, so none of them stays."""
    run(many_short_ones())


async def two_sources() -> None:
    watched = Watched()
    watched.sees(0, clicks=(7, 1))
    watched.sees(5, clicks=(7, 1), orders=(0, 2))
    watched.sees(LOGGED_AFTER_S + 1, clicks=(7, 1), orders=(0, 2))
    watched.sees(LOGGED_AFTER_S + 2, clicks=(9, 1), orders=(0, 2))
    assert [("blocked", "clicks", 1), ("unblocked", "clicks", None)] == watched.logged
    assert {"clicks": 0, "orders": LOGGED_AFTER_S - 3} == open_s(watched.meters)


def test_each_source_has_its_own_account() -> None:
    """One of two ends and another begins at once: the first is logged as ended, the second is new."""
    run(two_sources())
