"""The counters over all time, out of the tallies topic: the partitions are added up, the rest of a report is sums over these.

The `all` window never expires, so these are exact for the whole life of a data directory.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas import Tally
from streams.log.port import Reader
from streams.topology import TALLIES

ALL_WINDOW = b'"window":"all"'  # a look at the bytes spares decoding the others, of which there are a hundred times more
Bucket = tuple[float, float]  # [lower, upper) seconds

_decode = msgspec.json.Decoder(Tally).decode


async def over_all_time(reader: Reader) -> list[Tally]:
    """The cells of the `all` window, as each partition wrote them: one cell may come once per partition."""
    return [
        _decode(record.value)
        async for _, record in reader.scan(TALLIES.name)
        if record.value is not None and ALL_WINDOW in record.value
    ]


class Move(NamedTuple):
    """What happened, whence and whither, as transitions say it."""

    kind: str
    from_: str | None
    to: str | None


def moves(cells: Iterable[Tally]) -> Counter[Move]:
    """How often each transition happened; kind `refund_unmatched` too, which is no transition."""
    found = Counter[Move]()
    for cell in cells:
        if cell.measure == "transitions" and cell.kind is not None:
            found[Move(cell.kind, cell.from_, cell.to)] += cell.count
    return found


def dwells(cells: Iterable[Tally]) -> dict[str, Counter[Bucket]]:
    """Per moment left, how many stays were as long as each bucket says."""
    found: dict[str, Counter[Bucket]] = {}
    for cell in cells:
        if cell.measure == "dwell" and cell.from_ is not None and cell.bucket_s is not None:
            found.setdefault(cell.from_, Counter())[cell.bucket_s] += cell.count
    return found


def quantile(buckets: Counter[Bucket], part: float) -> float:
    """The length in seconds that `part` (0 to 1) of the stays do not exceed: the middle of its bucket, so right to 6 %. At least one stay."""
    left = part * buckets.total()
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            break
    return (bucket[0] + bucket[1]) / 2


def hours(cells: Iterable[Tally], to: frozenset[str]) -> list[int]:
    """How often one of these moments was entered, by hour of the person's own week: 168 counts from Monday 00:00 on."""
    found = [0] * 168
    for cell in cells:
        if cell.measure == "hour_of_week" and cell.hour is not None and cell.to in to:
            found[cell.hour] += cell.count
    return found
