"""The lag is what the last commits have not processed."""

import pytest

from streams.core.processing.checkpoint import STATE_FORMAT, Checkpoint
from streams.core.processing.watermark import SourcePosition
from streams.log.memory import MemoryLog
from streams.log.port import Extent
from streams.queries.lag import Lag, partition_lag, read_lag
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.queries.written import DAY, RULES, did, written

MAY_1_MS = 1_714_521_600_000
NOW_MS = 2_000_000_000_000


async def test_an_app_that_has_read_everything_is_not_behind() -> None:
    """Its position is at the end of the source, and its watermark is the greatest event time read."""
    found = await read_lag(await written([did("u:ann", "look", 0), did("u:ann", "cart", DAY)]))
    events, inbox = found.sources
    assert (0, "events:0", 2, 2, 0) == (
        events.partition,
        events.source,
        events.position,
        events.end,
        events.lag,
    )
    assert MAY_1_MS + 86_400_000 == events.watermark_ms == found.watermark_ms
    assert ("inbox:0", 0, None) == (inbox.source, inbox.lag, inbox.watermark_ms)
    assert 0 == found.total


async def test_new_records_are_lag() -> None:
    """Records that were appended since count as lag of their own partition."""
    log = await written([did("u:ann", "look", 0)], partitions=2)
    await log.append([NewRecord(1, None, did("u:bob", "look", n), NOW_MS) for n in range(3)])
    found = await read_lag(log)
    assert {"events:0": 0, "events:1": 3, "inbox:0": 0, "inbox:1": 0} == {
        row.source: row.lag for row in found.sources
    }
    assert 3 == found.total


async def test_nothing_committed_is_all_behind() -> None:
    """A partition that was never opened has no position and no watermark."""
    log = MemoryLog(1)
    await log.append([NewRecord(0, None, did("u:ann", "look", 0), NOW_MS)])
    found = await read_lag(log)
    assert (None, 1, 1) == (found.sources[0].position, found.sources[0].end, found.sources[0].lag)
    assert {0: None} == found.watermarks_ms
    assert found.watermark_ms is None


async def test_a_batch_under_way_is_still_behind() -> None:
    """A record that was read but not committed counts as lag."""
    log = await written([did("u:ann", "look", 0)])
    await log.append([NewRecord(0, None, did("u:ann", "cart", 5), NOW_MS)])
    agent = await PartitionAgent.open(log, 0, Settings(), RULES)
    agent.processor.take(await agent.session.read(agent.processor.tracker.offsets, 10))
    assert 1 == (await read_lag(log)).total


@pytest.mark.parametrize(
    ("position", "extent", "expected"),
    [
        pytest.param(7, Extent(0, 5, 5), (7, 7, 0, None), id="processed since the end was asked for"),
        pytest.param(None, Extent(90, 100, 100), (None, 100, 10, None), id="deleted by age before the start"),
        pytest.param(60, Extent(90, 100, 100), (60, 100, 10, None), id="deleted by age, unread"),
        pytest.param(5, Extent(0, 5, 2_006), (5, 2_006, None, 2_001), id="behind an open transaction"),
        pytest.param(3, Extent(0, 5, 9), (3, 9, None, 4), id="some to read, some behind a transaction"),
    ],
)
def test_the_lag_of_a_source(
    position: int | None, extent: Extent, expected: tuple[int | None, int, int | None, int | None]
) -> None:
    """Records that exist and can be read; what a transaction hides makes the lag unknown, and never 0."""
    sources = {} if position is None else {"clicks:0": SourcePosition(position, MAY_1_MS)}
    last = Checkpoint(STATE_FORMAT, b"", sources=sources)
    (row,) = partition_lag(0, ["clicks:0"], last, {"clicks:0": extent})
    hidden = None if row.hidden is None else row.hidden.records
    assert expected == (row.position, row.end, row.lag, hidden)
    assert Lag([row], {0: None}).total == row.lag
