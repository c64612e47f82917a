"""How far an app is behind: per partition and source, where the last commit stands and where the source ends.

Read from the checkpoints in the state topic, which are what a worker would go on from: no group and no committed offset is asked.
"""

from collections.abc import Mapping, Sequence

import msgspec

from streams.log.port import Reader
from streams.pipeline import checkpoint


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
    watermarks_ms: Mapping[int, int | None]  # partition -> its horizon mark: event time that nothing older is waited for

    @property
    def total(self) -> int:
        return sum(row.lag for row in self.sources)

    @property
    def watermark_ms(self) -> int | None:
        """That of the app: the least of its partitions that have one."""
        return min([at for at in self.watermarks_ms.values() if at is not None], default=None)


async def lag(reader: Reader) -> Lag:
    """Raises Incompatible for checkpoints of another format, Unavailable."""
    stored = [None if raw is None else checkpoint.decode(raw) for raw in await reader.checkpoints()]
    ends = await reader.ends()  # after the checkpoints: else a worker could be ahead of the end
    rows, marks = list[Behind](), dict[int, int | None]()
    for partition, last in enumerate(stored):
        marks[partition] = _known(last.mark) if last is not None else None
        for source in reader.sources(partition):
            position = None if last is None else last.sources.get(source)
            at = 0 if position is None else position.offset
            rows.append(
                Behind(
                    partition, source, None if position is None else at, ends[source], max(0, ends[source] - at),
                    None if position is None else _known(position.mark),
                )
            )  # fmt: skip
    return Lag(rows, marks)


def _known(mark: int) -> int | None:
    return mark if mark >= 0 else None
