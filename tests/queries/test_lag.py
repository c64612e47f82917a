"""The lag is what the last commits have not processed."""

from streams.core.processing.checkpoint import STATE_FORMAT, Checkpoint
from streams.core.processing.watermark import SourcePosition
from streams.log.memory import MemoryLog
from streams.queries.lag import SourceLag, partition_lag, read_lag
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


def test_a_worker_ahead_of_the_end_is_not_behind() -> None:
    """Records that come and are processed between reading the ends and the checkpoints are no lag."""
    last = Checkpoint(STATE_FORMAT, b"", sources={"clicks:0": SourcePosition(7, MAY_1_MS)})
    assert [SourceLag(0, "clicks:0", 7, 7, 0, MAY_1_MS)] == partition_lag(
        0, ["clicks:0"], last, {"clicks:0": 5}
    )
