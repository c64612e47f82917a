"""The funnel, people and counters of a small shop are as worked out by hand."""

import msgspec
import pytest

from schemas import Tally
from streams.log.memory import MemoryLog
from streams.queries.cohorts import (
    FUNNEL_MOMENTS,
    Cohort,
    JourneyCounts,
    report_of_cells,
    reports_by_dimension,
)
from streams.queries.dead_letters import count_reasons
from streams.queries.funnel import EventCounts, read_funnel
from streams.queries.histograms import quantile_s
from streams.queries.tallies import (
    Move,
    count_by_hour_of_week,
    count_moves,
    dwell_histograms,
    read_all_time_tallies,
)
from streams.settings.identity import IdentitySettings
from streams.topology import LATE, REJECTED, STATE
from tests.queries.written import DAY, LATER, SHOP, did, written

ONE = ["one partition", "three partitions"]
STAY = Tally(
    cell="all/dwell/know",
    partition=0,
    window="all",
    start=None,
    measure="dwell",
    from_="know",
    dimensions={},
    count=1,
    rev=1,
)


@pytest.mark.parametrize("partitions", [1, 3], ids=ONE)
async def test_the_funnel_of_a_small_shop(partitions: int) -> None:
    """The funnel is as worked out by hand: stalled journeys count as open, refunded ones as converted.
    Without identity, partitions do not wait for each other, so Ann's last look is late in hers, too.
    """
    found = await read_funnel(await written(SHOP, partitions, identity=IdentitySettings(on=False)))
    assert JourneyCounts(opened=5, open=4, stalled=2, converted=1, abandoned=0, refunded=1) == found.journeys
    assert tuple(found.furthest) == FUNNEL_MOMENTS
    assert Cohort(open=3, stalled=1) == found.furthest["know"]
    assert Cohort(open=1, stalled=1) == found.furthest["buy"]
    assert Cohort(converted=1, refunded=1) == found.furthest["truth"]
    assert Cohort() == found.furthest["go"] == found.furthest["do"]
    assert {"know": 4, "go": 0, "do": 0, "buy": 2, "truth": 1} == found.been_in


async def test_people_with_weak_signs_only_count() -> None:
    """A profile is anybody with an applied signal, also Cat, who only glanced; no others are counted."""
    found = await read_funnel(await written([*SHOP[:11], did("u:gil", "scroll", 30)]))
    assert (4, 1) == (found.profiles, found.profiles_converted)


async def test_every_event_ended_once() -> None:
    """The checkpoints' counts add up to the events, and the dead letters have the reasons."""
    log = await written(SHOP)
    found = (await read_funnel(log)).events
    assert EventCounts(received=14, applied=10, no_signal=1, duplicate=1, late=1, rejected=1) == found
    assert {"lateness": 1} == await count_reasons(log, LATE)
    assert {"undecodable": 1} == await count_reasons(log, REJECTED)


async def test_forgetting_changes_no_count_of_people() -> None:
    """Ann bought, Cat glanced, and half a year later both are forgotten;
    both still count, and Ann as one who bought.
    """
    log = await written([*SHOP[:4], *SHOP[6:8], *LATER])
    held = [record.key or b"" async for _, record in log.scan(STATE.name)]
    assert not any(key.startswith((b"pu:ann", b"pd:cat")) for key in held)
    found = await read_funnel(log)
    assert (3, 1) == (found.profiles, found.profiles_converted)


async def test_transitions_that_are_gone_change_no_count_of_people() -> None:
    """On Kafka transitions are kept for a month: people are counted without them, and so are purchases of
    journeys that are finished.
    """
    log = await written([*SHOP, *LATER])
    before = await read_funnel(log)
    log._stored[0].appended["transitions"].clear()
    after = await read_funnel(log)
    assert (7, 1) == (before.profiles, before.profiles_converted)
    assert before == after


async def test_a_purchase_that_was_no_conversion_after_all() -> None:
    """A late purchase takes the place of a later one, which joins it; the person still bought once."""
    found = await read_funnel(
        await written([did("u:ann", "look", 0), did("u:ann", "pay", 20), did("u:ann", "pay", 10)])
    )
    assert (1, 1, 1) == (found.profiles, found.profiles_converted, found.journeys.converted)


async def test_an_empty_log() -> None:
    """The funnel of an empty log has every field, all zero."""
    found = await read_funnel(MemoryLog(2))
    assert (0, 0, JourneyCounts(), EventCounts()) == (
        found.profiles,
        found.profiles_converted,
        found.journeys,
        found.events,
    )
    assert dict.fromkeys(FUNNEL_MOMENTS, Cohort()) == found.furthest
    assert dict.fromkeys(FUNNEL_MOMENTS, 0) == found.been_in


async def test_by_a_dimension() -> None:
    """A journey counts under the device on which it was opened."""
    phone = {"context": {"device": {"type": "mobile"}}}
    cells = await read_all_time_tallies(
        await written([did("u:ann", "look", 0, **phone), did("u:ann", "pay", 5), did("u:bob", "look", 6)])
    )
    found = reports_by_dimension(cells, "device")
    assert {"mobile": (0, 1, 1), "other": (1, 0, 1)} == {
        value: (of.furthest["know"].open, of.furthest["truth"].converted, of.been_in["know"])
        for value, of in found.items()
    }


@pytest.mark.parametrize("partitions", [1, 3], ids=ONE)
async def test_moves_dwells_and_hours(partitions: int) -> None:
    """Steps, lengths of stay and hours of the week are counted over all partitions."""
    cells = await read_all_time_tallies(
        await written([*SHOP[:3], did("u:bob", "look", DAY), did("u:bob", "cart", DAY + 5)], partitions)
    )
    assert 2 == count_moves(cells)[Move("advanced", "know", "buy")]
    assert 1 == count_moves(cells)[Move("converted", "buy", "truth")]
    assert 300 == pytest.approx(quantile_s(dwell_histograms(cells)["know"], 0.5), rel=0.07)
    assert 60 == pytest.approx(quantile_s(dwell_histograms(cells)["buy"], 0.5), rel=0.07)
    took = report_of_cells(cells).time_to_convert
    assert took is not None
    assert 1 == took.purchases
    assert 360 == pytest.approx(took.p50_s, rel=0.07)
    week = count_by_hour_of_week(cells, frozenset({"buy"}))
    assert {48: 1, 72: 1} == {hour: n for hour, n in enumerate(week) if n}  # 1 May 2024 was a Wednesday


async def test_zeros_are_no_cells() -> None:
    """A counter that fell back to zero makes no line of a report."""
    cells = await read_all_time_tallies(
        await written([did("u:ann", "look", 0), did("u:ann", "cart", 1), did("u:ann", "pay", 2)])
    )
    assert all(cell.count for cell in cells)
    assert {"converted"} == {cell.outcome for cell in cells if cell.measure == "cohort"}


def test_a_quantile_is_in_its_bucket() -> None:
    """The median of ten stays is the fifth, and nine tenths do not exceed the ninth."""
    cells = [
        msgspec.structs.replace(STAY, count=n, bucket_s=bucket)
        for bucket, n in (((8.0, 9.0), 1), ((1.0, 2.0), 5), ((3.0, 4.0), 4))
    ]
    stays = dwell_histograms(cells)["know"]
    assert [1.5, 1.5, 3.5, 8.5] == [quantile_s(stays, part) for part in (0, 0.5, 0.9, 1)]


async def test_repairs_are_counted_by_kind() -> None:
    """The funnel has how many events were repaired, over all partitions; one with two repairs is in both."""
    repaired = did("u:ann", "look", 0, anonymousId="undefined"), did("u:bob", "look", 1, anonymousId="null")
    both = did("u:cat", "look", 2, anonymousId="null", context=[])
    found = await read_funnel(await written([*SHOP, *repaired, both], 3))
    assert {"placeholder": 3, "empty_list": 1} == found.repaired
