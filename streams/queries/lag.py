"""Computes how far an app is behind: the last commit and the end of each source of a partition.

The checkpoints in the state topic have the positions from which a worker would go on. No consumer group is
asked.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.json_text import rfc3339
from streams.log.port import Extent, Reader


class Hidden(msgspec.Struct, frozen=True):
    """What waits behind a transaction that is still open: nobody can say yet whether it counts."""

    first: int  # the offset at which the transaction begins
    records: int
    since_ms: int | None = None  # when the transaction was begun; None: the broker does not say
    transaction: str | None = None  # its transactional id; None: the broker does not say

    def wire(self) -> dict[str, object]:
        """As a JSON-ready dict."""
        return {
            "first": self.first,
            "records": self.records,
            "since": _rfc3339(self.since_ms),
            "transaction": self.transaction,
        }


class SourceLag(msgspec.Struct, frozen=True):
    """How far one partition is behind one of its sources.

    `streams lag` counts small numbers of records; others are differences of offsets.
    """

    partition: int
    source: str  # topic:partition
    position: int | None  # offset of the next record to read; None: nothing was committed yet
    end: int  # offset of the next record to be written
    readable: int  # records that are committed and not processed
    watermark_ms: int | None  # the greatest event time that was read from it
    hidden: Hidden | None = None  # None: no transaction is open

    @property
    def lag(self) -> int | None:
        """Records that are not processed yet. None: a transaction decides."""
        return self.readable if self.hidden is None else None

    def wire(self) -> dict[str, object]:
        """The row as a JSON-ready dict."""
        return {
            "source": self.source,
            "position": self.position,
            "end": self.end,
            "lag": self.lag,
            "readable": self.readable,
            "hidden": None if self.hidden is None else self.hidden.wire(),
            "watermark": _rfc3339(self.watermark_ms),
        }


class Lag(msgspec.Struct, frozen=True):
    """How far all partitions are behind."""

    sources: Sequence[SourceLag]
    watermarks_ms: Mapping[int, int | None]  # by partition; None: it has none yet
    # Inputs of which nothing will be read any more, with the reason.
    stopped: Mapping[str, str] = {}
    deleted: Sequence[str] = ()  # inputs that do not exist any more

    @property
    def total(self) -> int | None:
        """The lag of all sources. None: one of them is not known."""
        lags = [row.lag for row in self.sources if row.lag is not None]
        return sum(lags) if len(lags) == len(self.sources) else None

    @property
    def watermark_ms(self) -> int | None:
        """The watermark of the app: the least of its partitions that have one."""
        return min([at for at in self.watermarks_ms.values() if at is not None], default=None)

    def wire(self, now_ms: int) -> dict[str, object]:
        """The lag as a JSON-ready dict. `now_ms` is the time from which lags of watermarks are measured."""
        return {
            "lag": self.total,
            "watermark": _rfc3339(self.watermark_ms),
            "watermark_lag_s": _seconds_since(self.watermark_ms, now_ms),
            "partitions": [
                {
                    "partition": partition,
                    "watermark": _rfc3339(watermark_ms),
                    "watermark_lag_s": _seconds_since(watermark_ms, now_ms),
                    "sources": [row.wire() for row in self.sources if row.partition == partition],
                }
                for partition, watermark_ms in self.watermarks_ms.items()
            ],
            "stopped": dict(self.stopped),
            "deleted": list(self.deleted),
        }


async def read_lag(reader: Reader) -> Lag:
    """The lag of every partition.

    The extents are read first and the checkpoints after them, so an app that keeps up has no lag, however
    much arrives. Raises Incompatible for checkpoints of another format, Unavailable.
    """
    extents = await reader.extents()
    stored = [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    sources = [
        row
        for partition, last in enumerate(stored)
        for row in partition_lag(partition, reader.sources(partition), last, extents)
    ]
    watermarks_ms = {
        partition: None if last is None else _time(last.watermark_ms) for partition, last in enumerate(stored)
    }
    return Lag(sources, watermarks_ms)


def partition_lag(
    partition: int, sources: Sequence[str], last: Checkpoint | None, extents: Mapping[str, Extent]
) -> list[SourceLag]:
    """The rows of a partition. `last` is its checkpoint, which may be newer than the extents."""
    rows = []
    for source in sources:
        position = None if last is None else last.sources.get(source)
        extent = extents[source]
        # What was deleted by age waits for nobody.
        reached = extent.first if position is None else max(position.offset, extent.first)
        end = max(extent.end, reached)
        rows.append(
            SourceLag(
                partition=partition,
                source=source,
                position=None if position is None else position.offset,
                end=max(extent.written, end),
                readable=end - reached,
                watermark_ms=None if position is None else _time(position.watermark_ms),
                hidden=Hidden(extent.end, extent.written - end) if extent.written > end else None,
            )
        )
    return rows


def _time(ms: int) -> int | None:
    """A time of a checkpoint; a negative one stands for none."""
    return ms if ms >= 0 else None


def _rfc3339(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def _seconds_since(ms: int | None, now_ms: int) -> float | None:
    return None if ms is None else (now_ms - ms) / 1000
