"""Reads the counters over all time from the tallies topic. Other reports are sums over them.

The window `all` never expires, so these counters are exact for the whole life of a data directory.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from streams.core.funnels.windows import WINDOWS
from streams.log.port import Reader
from streams.queries.cell_table import CellSum, CellTable, Counted
from streams.queries.funnel_window import CellWindow
from streams.queries.histograms import Bucket
from streams.topology import TALLIES

HOURS_PER_WEEK = 168

# A look at the bytes saves decoding the cells of other windows, of which there are a hundred times more.
ALL_WINDOW_JSON = b'"window":"all"'


async def read_all_time_tallies(reader: Reader) -> list[CellSum]:
    """The counters over all time, added up over the partitions, without those that are zero."""
    table = await _read_cells(reader, ALL_WINDOW_JSON)
    return table.sums()


async def read_window_tallies(reader: Reader, window: CellWindow) -> list[CellSum]:
    """The counters of a window, added up over the partitions and over its cells, without those that are
    zero.
    """
    table = await _read_cells(reader, f'"window":"{WINDOWS[window.length]}"'.encode())
    return table.sums(window)


async def _read_cells(reader: Reader, having: bytes) -> CellTable:
    """The counters that have this in their records."""
    table, topic = CellTable(), TALLIES.name
    async for _, record in reader.scan(topic):
        if record.value is not None and having in record.value:
            table.apply(topic, record.key, record.value)
    return table


class Move(NamedTuple):
    """A kind of transition, and the moments that it leads from and to."""

    kind: str
    from_: str | None
    to: str | None


def count_moves(cells: Iterable[Counted]) -> Counter[Move]:
    """How often each transition happened, and each `Unmatched`, which is no transition."""
    counts = Counter[Move]()
    for cell in cells:
        if cell.measure == "transitions" and cell.kind is not None:
            counts[Move(cell.kind, cell.from_, cell.to)] += cell.count
    return counts


def dwell_histograms(cells: Iterable[Counted]) -> dict[str, Counter[Bucket]]:
    """For each moment, how many stays in it were as long as each bucket says."""
    found: dict[str, Counter[Bucket]] = {}
    for cell in cells:
        if cell.measure == "dwell" and cell.from_ is not None and cell.bucket_s is not None:
            found.setdefault(cell.from_, Counter())[cell.bucket_s] += cell.count
    return found


def count_by_hour_of_week(cells: Iterable[Counted], moments: frozenset[str]) -> list[int]:
    """How often one of these moments was entered in each hour of the person's week, from Monday 00:00 on."""
    counts = [0] * HOURS_PER_WEEK
    for cell in cells:
        if cell.measure == "hour_of_week" and cell.hour is not None and cell.to in moments:
            counts[cell.hour] += cell.count
    return counts


def count_cues(cells: Iterable[Counted]) -> dict[str, Counter[str | None]]:
    """For each cue that there was, how often it was in which moment; None: it was matched with no journey."""
    counts: dict[str, Counter[str | None]] = {}
    for cell in cells:
        if cell.measure == "cues" and cell.cue is not None:
            counts.setdefault(cell.cue, Counter())[cell.moment] += cell.count
    return counts
