"""Steps of a partition, as observers receive them."""

from typing import Any

from msgspec.structs import replace

from streams.core.funnels.figures import FigureSums
from streams.core.processing.checkpoint import Counts
from streams.core.processing.committed import Committed, DeviceFigures

NOTHING = Committed(
    partition=0,
    records=0,
    written=False,
    more=False,
    totals=Counts(),
    reasons={},
    clock_errors={},
    outputs=0,
    retracted=0,
    journeys=FigureSums().figures(),
    devices=DeviceFigures(),
    rev=0,
    expired_corrections=0,
    excluded=0,
    holding=0,
    watermark_ms=-1,
    settled_mark_ms=-1,
    lags={},
    hidden={},
    commit_s=0.0,
    oldest_ms=-1,
)


def step(partition: int = 0, records: int = 0, *, written: bool = True, **fields: Any) -> Committed:
    """A step that was committed, unless `written` is False."""
    return replace(NOTHING, partition=partition, records=records, written=written, **fields)
