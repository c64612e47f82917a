"""How far an app is behind: per partition and source, where the last commit stands and where the source ends.

Read from the checkpoints in the state topic, which are what a worker would go on from: no group and no committed offset is asked.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streams.core.processing import checkpoint
from streams.log.port import Reader


class Behind(msgspec.Struct, frozen=True):
    """One source of one partition."""

    partition: int
    source: str  # topic:partition
    position: int | None  # of the next record to read; None: nothing was committed yet
    end: int  # of the next record to be written
    lag: int  # records between them; offsets, where nobody has looked closer
    watermark_ms: int | None  # greatest event time read from it


class Lag(msgspec.Struct, frozen=True):
    """Of all partitions."""

    sources: Sequence[Behind]
    watermarks_ms: Mapping[
        int, int | None
    ]  # partition -> its horizon mark: event time that nothing older is waited for

    @property
    def total(self) -> int:
        return sum(row.lag for row in self.sources)

    @property
    def watermark_ms(self) -> int | None:
        """That of the app: the least of its partitions that have one."""
        return min([at for at in self.watermarks_ms.values() if at is not None], default=None)


async def lag(reader: Reader) -> Lag:
    """Of what was there when it was asked, what was not processed a moment later: an app that keeps up is not behind, however much comes.

    Raises Incompatible for checkpoints of another format, Unavailable.
    """
    ends = await reader.ends()
    stored = [None if raw is None else checkpoint.decode(raw) for raw in await reader.checkpoints()]
    rows = [
        row
        for partition, last in enumerate(stored)
        for row in behind(partition, reader.sources(partition), last, ends)
    ]
    return Lag(
        rows,
        {partition: None if last is None else _known(last.mark) for partition, last in enumerate(stored)},
    )


def behind(
    partition: int, sources: Sequence[str], last: checkpoint.Checkpoint | None, ends: Mapping[str, int]
) -> list[Behind]:
    """The rows of a partition. `last`: its checkpoint, which may be later than the ends."""
    rows = []
    for source in sources:
        position = None if last is None else last.sources.get(source)
        if position is None:
            rows.append(Behind(partition, source, None, ends[source], ends[source], None))
        else:
            end = max(ends[source], position.offset)
            rows.append(
                Behind(partition, source, position.offset, end, end - position.offset, _known(position.mark))
            )
    return rows


def _known(mark: int) -> int | None:
    return mark if mark >= 0 else None
