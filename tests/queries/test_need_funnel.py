"""The funnel of a need, from transitions, says what counters would say of the same journeys."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.funnels.windows import BY_HOUR
from streams.core.processing.json_text import rfc3339
from streams.log.memory import MemoryLog
from streams.queries.cohorts import CohortReport, empty_report, report_of_cells, reports_by_dimension
from streams.queries.funnel_window import CellWindow
from streams.queries.need_funnel import read_need_journeys, report_of_need, reports_by_value
from streams.queries.tallies import read_all_time_tallies, read_window_tallies
from streams.queries.time_range import EVER, TimeRange
from streams.settings.durations import HOURS
from tests.queries.written import SHOP, did, written

MAY_MS = 1_714_521_600_000  # 1 May 2024, where the minutes of `did` begin
CAR, COFFEE = {"properties": {"about": "car"}}, {"properties": {"about": "coffee"}}
ABOUT = [
    did("u:ann", "look", 0, **CAR), did("u:ann", "cart", 5, **CAR), did("u:ann", "look", 6, **COFFEE),
    did("u:bob", "look", 7, **CAR), did("u:bob", "pay", 8, **COFFEE),
]  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Something that somebody did, on one of two devices; purchases and refunds may have an amount."""
    who = draw(st.sampled_from(["u:ann", "u:bob", "d:cat"]))
    name = draw(st.sampled_from(["look", "glance", "cart", "pay", "back"]))
    money = draw(st.sampled_from([{}, {"total": 0}, {"total": 30}, {"total": 90}]))
    properties = {**money, "currency": draw(st.sampled_from(["EUR", "JPY"]))}
    device = {"device": {"type": draw(st.sampled_from(["mobile", "desktop"]))}}
    return did(who, name, draw(st.integers(0, 3_000)), properties=properties, context=device)


@settings(max_examples=60, deadline=None)
@given(st.lists(events(), max_size=12), st.sampled_from([1, 2]))
async def test_it_says_what_the_counters_say(records: list[bytes], partitions: int) -> None:
    """Of the only need there is: over all time, in a window, by device; however events arrive."""
    log = await written(records, partitions)
    found, cells = await read_need_journeys(log, None, EVER), await read_all_time_tallies(log)
    assert report_of_cells(cells) == report_of_need(found)
    assert reports_by_dimension(cells, "device") == reports_by_value(found, "device")
    assert 0 == found.cut
    window = CellWindow(BY_HOUR, MAY_MS + 10 * HOURS, MAY_MS + 30 * HOURS)
    cells = await read_window_tallies(log, window)
    found = await read_need_journeys(log, None, TimeRange(window.start_ms, window.end_ms))
    assert report_of_cells(cells) == report_of_need(found)
    assert _without_nothing(reports_by_dimension(cells, "device")) == reports_by_value(found, "device")


def _without_nothing(reports: dict[str, CohortReport]) -> dict[str, CohortReport]:
    """Without values of which all was taken back: their counters are zero."""
    return {value: report for value, report in reports.items() if report != empty_report()}


@pytest.mark.parametrize("partitions", [1, 3])
async def test_only_the_journeys_about_the_need(partitions: int) -> None:
    """Others, and those that were opened outside of the range, are left out."""
    log = await written(ABOUT, partitions, need=("properties.about",))
    found = report_of_need(await read_need_journeys(log, "car", EVER))
    assert (2, 2, 0) == (found.journeys.opened, found.journeys.open, found.journeys.converted)
    assert {"know": 2, "go": 0, "do": 0, "buy": 1, "truth": 0} == found.been_in
    opened_ms = MAY_MS + 7 * 60_000
    assert "2024-05-01T00:07:00.000Z" == rfc3339(opened_ms)
    later = await read_need_journeys(log, "car", TimeRange(opened_ms))
    assert 1 == report_of_need(later).journeys.opened
    assert [] == (await read_need_journeys(log, "tea", EVER)).journeys


async def test_revenue_of_the_need() -> None:
    """What was bought and given back about it, in the window, whenever the journeys began."""
    coffee, car = [{"about": about, "currency": "EUR"} for about in ("coffee", "car")]
    records = [
        did("u:ann", "look", 0, properties=coffee),
        did("u:ann", "pay", 90, properties={"total": 90, **coffee}),
        did("u:ann", "back", 200, properties={"total": 30, **coffee}),
        did("u:ann", "pay", 91, properties={"total": 7000, **car}),
    ]
    log = await written(records, need=("properties.about",))
    whole = report_of_need(await read_need_journeys(log, "coffee", EVER))
    assert {"EUR": {"converted": 9000, "partially_refunded": -3000}} == whole.revenue
    window = TimeRange(MAY_MS + HOURS, MAY_MS + 2 * HOURS)
    hour = report_of_need(await read_need_journeys(log, "coffee", window))
    assert (0, {"EUR": {"converted": 9000}}) == (hour.journeys.opened, hour.revenue)


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
