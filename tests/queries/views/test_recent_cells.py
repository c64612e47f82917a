"""The newest counters, taken alone, are what the whole table says of them."""

import pytest

from streams.core.funnels.totals import FunnelTotals
from streams.core.funnels.windows import BY_DAY, BY_HOUR, BY_MINUTE
from streams.log.memory import MemoryLog
from streams.queries.cell_table import CellTable
from streams.queries.funnel_window import CellWindow
from streams.queries.views.recent_cells import RecentCells
from streams.settings.durations import DAYS, HOURS
from streams.topology import FUNNEL, TALLIES, Topic
from tests.queries.written import SHOP, written

MAY_MS = 1_714_521_600_000  # 1 May 2024, when the shop opens
OLDEST_MS = MAY_MS + 4 * DAYS + 7 * HOURS
PARTITIONS = 2


async def filled(log: MemoryLog, topic: Topic, view: RecentCells | CellTable) -> None:
    """Gives a view all records of a topic; those of the funnel as its writer makes them."""
    totals = FunnelTotals(PARTITIONS)
    for partition in range(PARTITIONS):
        records = [record async for _, record in log.scan(TALLIES.name, partition)]
        totals.take(partition, records)
        totals.at_end(partition)
        if topic is TALLIES:
            for record in records:
                view.apply(TALLIES.name, record.key, record.value)
    if topic is FUNNEL:
        for output in totals.outputs():
            view.apply(FUNNEL.name, output.key, output.value)


def counted(cells: CellTable, window: CellWindow | None) -> dict[str, int]:
    """Counts by what is counted."""
    return {repr(cell): cell.count for cell in cells.sums(window)}


@pytest.mark.parametrize("topic", [TALLIES, FUNNEL], ids=["tallies", "funnel"])
async def test_they_are_a_part_of_the_whole(topic: Topic) -> None:
    """Over all time, and in windows of every length from the oldest day on; there is nothing else."""
    log = await written(SHOP, PARTITIONS)
    whole, recent = CellTable(), RecentCells(topic, OLDEST_MS)
    await filled(log, TALLIES, whole)
    await filled(log, topic, recent)
    assert MAY_MS + 4 * DAYS == recent.known_from_ms
    assert counted(whole, None) == counted(recent.cells, None)
    for length in (BY_MINUTE, BY_HOUR, BY_DAY):
        since = CellWindow(length, recent.known_from_ms, MAY_MS + 8 * DAYS)
        assert counted(whole, since) == counted(recent.cells, since) != {}
        before = CellWindow(length, MAY_MS, recent.known_from_ms)
        assert counted(whole, before) != {} == counted(recent.cells, before)
