"""The tables of an export, and the records that are their rows.

Steps and cues are those that hold now, so that whoever counts rows counts nothing twice. Counters are added
up over the partitions, without those that are zero.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from schemas import Cue, FunnelTotal, JourneyRecord, RefundRecord, Transition
from streams.core.funnels.windows import ALL_TIME, WINDOWS
from streams.core.ingest.times import MINUTE_MS
from streams.core.processing.json_text import rfc3339
from streams.log.port import Reader
from streams.queries.cell_table import CellTable
from streams.queries.listing import Listed, list_records
from streams.queries.net_records import list_net_records
from streams.queries.parquet.columns import Column, RecordFields, columns_of
from streams.queries.published_transitions import CORRECTED
from streams.queries.time_range import EVER, TimeRange
from streams.topology import CUES, JOURNEYS, TALLIES, TRANSITIONS

_REFUNDS, _CELLS, _RAW = "refunds", "cells", "raw_"
EXPORTED_TABLES = (
    TRANSITIONS.name,
    CUES.name,
    JOURNEYS.name,
    _REFUNDS,
    _CELLS,
    *(_RAW + topic.name for topic in CORRECTED),
)
"""All tables that an export can have."""

# A cell's name says what its columns say, and `rev` orders values of which the newest is here.
_NAMING = ("cell", "rev")


def table_columns(dimensions: Sequence[str], raw: bool) -> Mapping[str, Sequence[Column]]:
    """The columns of each table. With `raw`, there are tables of all records with corrections, too."""
    steps, cues = columns_of(Transition, dimensions), columns_of(Cue, dimensions)
    tables = {
        TRANSITIONS.name: steps,
        CUES.name: cues,
        JOURNEYS.name: columns_of(JourneyRecord, dimensions),
        _REFUNDS: columns_of(RefundRecord, dimensions),
        _CELLS: columns_of(FunnelTotal, dimensions, without=_NAMING),
    }
    if raw:
        tables |= {_RAW + topic.name: tables[topic.name] for topic in CORRECTED}
    return tables


async def table_rows(reader: Reader, times: TimeRange, raw: bool) -> AsyncIterator[tuple[str, RecordFields]]:
    """Each row, with the name of its table.

    The range is about when a step or a cue was, when a journey was closed or refunded, and when a window
    begins. Counters over all time are of no range.
    """
    for topic in CORRECTED:
        async for listed in list_net_records(reader, topic, times):
            yield topic.name, _fields(listed)
        if raw:
            async for listed in list_records(reader, topic, times):
                yield _RAW + topic.name, _fields(listed)
    async for listed in list_records(reader, JOURNEYS, times):
        fields = _fields(listed)
        yield _REFUNDS if fields["record"] == "refund" else JOURNEYS.name, fields
    cells = CellTable()
    for partition in range(reader.partitions):
        async for record in reader.scan_versions(TALLIES.name, partition):
            cells.apply(TALLIES.name, record.key, record.value)
    for counter in _counters(cells, times):
        yield _CELLS, counter


def _fields(listed: Listed) -> RecordFields:
    fields: RecordFields = msgspec.json.decode(listed.record.value or b"")
    return fields


def _counters(cells: CellTable, times: TimeRange) -> Iterator[RecordFields]:
    for length, window in enumerate(WINDOWS):
        if length == ALL_TIME and times != EVER:
            continue
        for start, cell in cells.totals(length):
            if length != ALL_TIME and not times.has(start * MINUTE_MS):
                continue
            fields = msgspec.structs.asdict(cell)
            fields["from"] = fields.pop("from_")
            fields["window"] = window
            fields["start"] = None if length == ALL_TIME else rfc3339(start * MINUTE_MS)
            yield fields
