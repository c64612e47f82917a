"""The funnel of a need, from transitions, says what counters would say of the same journeys."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.processing.json_text import rfc3339
from streams.log.memory import MemoryLog
from streams.queries.cohorts import report_of_cells, reports_by_dimension
from streams.queries.need_funnel import read_need_journeys, report_of_journeys, reports_by_value
from streams.queries.tallies import read_all_time_tallies
from streams.queries.time_range import EVER, TimeRange
from tests.queries.written import SHOP, did, written

CAR, COFFEE = {"properties": {"about": "car"}}, {"properties": {"about": "coffee"}}
ABOUT = [
    did("u:ann", "look", 0, **CAR), did("u:ann", "cart", 5, **CAR), did("u:ann", "look", 6, **COFFEE),
    did("u:bob", "look", 7, **CAR), did("u:bob", "pay", 8, **COFFEE),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u:ann", "u:bob", "d:cat"]),
            st.sampled_from(["look", "glance", "cart", "pay", "back"]),
            st.integers(0, 3_000),
        ),
        max_size=12,
    ),
    st.sampled_from([1, 2]),
)
async def test_it_says_what_the_counters_say(events: list[tuple[str, str, int]], partitions: int) -> None:
    """Of the only need there is: over all time, and by device; in whatever order events arrive."""
    log = await written([did(who, event, minute) for who, event, minute in events], partitions)
    found, cells = await read_need_journeys(log, None, EVER), await read_all_time_tallies(log)
    assert report_of_cells(cells) == report_of_journeys(found.journeys)
    assert reports_by_dimension(cells, "device") == reports_by_value(found.journeys, "device")
    assert 0 == found.cut


@pytest.mark.parametrize("partitions", [1, 3])
async def test_only_the_journeys_about_the_need(partitions: int) -> None:
    """Others, and those that were opened outside of the range, are left out."""
    log = await written(ABOUT, partitions, need=("properties.about",))
    found = report_of_journeys((await read_need_journeys(log, "car", EVER)).journeys)
    assert (2, 2, 0) == (found.journeys.opened, found.journeys.open, found.journeys.converted)
    assert {"know": 2, "go": 0, "do": 0, "buy": 1, "truth": 0} == found.been_in
    opened_ms = 1_714_521_600_000 + 7 * 60_000
    assert "2024-05-01T00:07:00.000Z" == rfc3339(opened_ms)
    later = await read_need_journeys(log, "car", TimeRange(opened_ms))
    assert 1 == report_of_journeys(later.journeys).journeys.opened
    assert [] == (await read_need_journeys(log, "tea", EVER)).journeys


async def test_a_journey_without_its_beginning_is_left_out() -> None:
    """The topic loses its oldest records by age. What the report cannot know it counts as cut."""
    log = await written(SHOP[:3])
    place = log._stored[0].appended["transitions"]
    del place[0]
    found = await read_need_journeys(log, None, EVER)
    assert ([], 1, "2024-05-01T00:05:00.000Z") == (found.journeys, found.cut, found.oldest)


async def test_a_log_without_transitions() -> None:
    """It has no journeys, and no oldest transition."""
    found = await read_need_journeys(MemoryLog(1), None, EVER)
    assert ([], 0, None) == (found.journeys, found.cut, found.oldest)
