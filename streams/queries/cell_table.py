"""All counters of the tallies topic in memory, for whoever asks often.

A counter costs two numbers in a dict: which one it is, and how many. The number that says which stands for
the part of its name behind the window, `cohort/know/open/mobile/web`, which all windows share: that part is
decoded once, at its first record. So a record costs one look at its key and one at the end of its value.

Counters of the partitions stay apart, since each replaces its own; they are added up when somebody asks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas import FunnelTotal, Tally
from streams.core.funnels.windows import ALL_TIME, LENGTH_MIN, WINDOWS
from streams.core.ingest.times import MINUTE_MS
from streams.queries.funnel_window import CellWindow
from streams.queries.instants import ms_of
from streams.queries.packed_counts import PackedCounts
from streams.topology import TALLIES

MAX_STARTS = 10_000  # texts of starts that are kept: a week of minutes

# The last two fields of a tally; see `tally_text`.
_COUNT, _REV = b',"count":', b',"rev":'
_LENGTHS = {name.encode(): number for number, name in enumerate(WINDOWS)}
_NOTHING: Mapping[int, int] = {}
# A tally has all fields of a total, and its partition, which stands in the key.
_decode = msgspec.json.Decoder(FunnelTotal).decode


class CellSum(msgspec.Struct, frozen=True, gc=False):
    """Some counters of one name, added up. The fields mean what they mean in a Tally."""

    measure: str
    kind: str | None
    from_: str | None
    to: str | None
    furthest: str | None
    outcome: str | None
    bucket_s: tuple[float, float] | None
    cue: str | None
    moment: str | None
    currency: str | None
    hour: int | None
    dimensions: Mapping[str, str]
    count: int = 0


Counted = Tally | CellSum
"""What reports add up."""

CellCounts = dict[int, int] | PackedCounts  # by the number of a name


class PartitionCells:
    """The counters of one partition: by length of the window, by its start in minutes."""

    def __init__(self, windows: Sequence[dict[int, CellCounts]] | None = None) -> None:
        self.windows = windows or [{} for _ in WINDOWS]


class CellTable:
    """The counters of all partitions."""

    topics = (TALLIES.name,)

    def __init__(
        self, names: Sequence[tuple[bytes, CellSum]] = (), parts: Mapping[int, PartitionCells] | None = None
    ) -> None:
        """`names`, `parts`: what another table had."""
        self.parts = dict(parts or {})
        self._anew: dict[int, PartitionCells] = {}  # of partitions that are being read anew
        self._cells: list[CellSum] = []  # by the number of their name
        self._numbers = {name: number for number, (name, _) in enumerate(names)}
        self._shared = [*self._numbers.values()]  # all of them, by themselves
        self._dimensions: dict[tuple[str, ...], Mapping[str, str]] = {}  # many cells share them
        self._starts: dict[bytes, int] = {}
        for _, cell in names:
            self._add(cell)

    @property
    def names(self) -> Sequence[tuple[bytes, CellSum]]:
        """What is counted, by its number: its name, and the fields of its counters."""
        return [*zip(self._numbers, self._cells, strict=True)]

    def is_read_anew(self, partition: int) -> bool:
        """True while a partition is being read from its beginning once more."""
        return partition in self._anew

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Takes a record in; those of other topics are passed over."""
        if topic != TALLIES.name or key is None:
            return
        partition, length, start_text, name = key.split(b"/", 3)
        window = _LENGTHS[length]
        if window == ALL_TIME:
            start, name = 0, start_text + b"/" + name
        else:
            found = self._starts.get(start_text)
            start = self._start(start_text) if found is None else found
        number = int(partition)
        part = self._anew.get(number) or self.parts.get(number)
        if part is None:
            part = self.parts[number] = PartitionCells()
        starts = part.windows[window]
        if value is None:
            self._remove(starts, start, name)
            return
        which = self._numbers.get(name)
        if which is None:
            which = self._learn(name, value)
        counts = starts.get(start)
        if counts is None:
            counts = starts[start] = {}
        elif isinstance(counts, PackedCounts):
            counts = starts[start] = counts.unpacked(self._shared)
        end = value.rindex(_REV)
        if count := int(value[value.rindex(_COUNT, 0, end) + len(_COUNT) : end]):
            counts[which] = count
        else:
            counts.pop(which, None)

    def read_anew(self, topic: str, partition: int) -> None:
        """From here on a partition of a topic is read from its beginning. Until its end what was known
        stays.
        """
        if topic == TALLIES.name:
            self._anew[partition] = PartitionCells()

    def at_end(self, topic: str, partition: int) -> None:
        """A partition of a topic has been read to its end."""
        if topic == TALLIES.name and (part := self._anew.pop(partition, None)) is not None:
            self.parts[partition] = part

    def _remove(self, starts: dict[int, CellCounts], start: int, name: bytes) -> None:
        counts, which = starts.get(start), self._numbers.get(name)
        if isinstance(counts, PackedCounts):
            counts = starts[start] = counts.unpacked(self._shared)
        if counts is not None and which is not None:
            counts.pop(which, None)
            if not counts:
                del starts[start]

    def _learn(self, name: bytes, value: bytes) -> int:
        tally = _decode(value)
        fields = {field: getattr(tally, field) for field in CellSum.__struct_fields__}
        which = self._numbers[name] = len(self._cells)
        self._shared.append(which)
        self._add(CellSum(**fields | {"count": 0}))
        return which

    def _add(self, cell: CellSum) -> None:
        """Adds what the next number stands for. Equal dimensions are one object."""
        shared = self._dimensions.setdefault(tuple(cell.dimensions.values()), cell.dimensions)
        self._cells.append(msgspec.structs.replace(cell, dimensions=shared))

    def _start(self, text: bytes) -> int:
        """The minute at which a window begins, by its text in a key."""
        if len(self._starts) >= MAX_STARTS:
            self._starts.clear()
        instant = text.decode()
        whole = instant + "T00:00:00.000Z"[len(instant) - 10 :]
        start = self._starts[text] = ms_of(whole) // MINUTE_MS
        return start

    def sums(
        self,
        window: CellWindow | None = None,
        where: Mapping[str, str] | None = None,
        measure: str | None = None,
    ) -> list[CellSum]:
        """The counters of a window, added up by what they count; None: over all time. None of them is zero.

        `where`: only those with these values of dimensions; `measure`: only those of this one.
        """
        totals: dict[int, int] = {}
        get = totals.get
        for counts in self._counts_in(window):
            for which, count in counts.items():
                totals[which] = get(which, 0) + count
        cells, replace = self._cells, msgspec.structs.replace
        found = [(cells[which], count) for which, count in totals.items() if count]
        if where or measure is not None:
            found = [(cell, count) for cell, count in found if _is_wanted(cell, where, measure)]
        return [replace(cell, count=count) for cell, count in found]

    def series(self, window: CellWindow, wanted: Callable[[CellSum], bool]) -> Mapping[int, int]:
        """By start of a cell of the window (ms), the sum of the counters that are wanted; zeros are left
        out.
        """
        numbers = {which for which, cell in enumerate(self._cells) if wanted(cell)}
        sums = Counter[int]()
        for start, counts in self._starts_in(window):
            if found := [count for which, count in counts.items() if which in numbers]:
                sums[start * MINUTE_MS] += sum(found)
        return sums

    def totals(self, window: int) -> Iterator[tuple[int, CellSum]]:
        """Every counter of the windows of a length, with the minute at which its window begins, in order of
        these: added up over the partitions. None of them is zero.
        """
        cells, replace = self._cells, msgspec.structs.replace
        for start in self.starts(window):
            sums: dict[int, int] = {}
            for part in self.parts.values():
                for which, count in part.windows[window].get(start, _NOTHING).items():
                    sums[which] = sums.get(which, 0) + count
            for which, count in sums.items():
                if count:
                    yield start, replace(cells[which], count=count)

    def _counts_in(self, window: CellWindow | None) -> Iterator[CellCounts]:
        if window is None:
            for part in self.parts.values():
                yield from part.windows[ALL_TIME].values()
        else:
            for _, counts in self._starts_in(window):
                yield counts

    def _starts_in(self, window: CellWindow) -> Iterator[tuple[int, CellCounts]]:
        step, end_min = LENGTH_MIN[window.length], window.end_ms // MINUTE_MS
        first = -(-window.start_ms // (step * MINUTE_MS)) * step
        for part in self.parts.values():
            starts = part.windows[window.length]
            for start in range(first, end_min, step):
                if (counts := starts.get(start)) is not None:
                    yield start, counts

    def starts(self, window: int) -> Sequence[int]:
        """The minutes at which windows of a length begin, in order, of those that hold something."""
        return sorted({start for part in self.parts.values() for start in part.windows[window]})

    def __len__(self) -> int:
        """How many counters are held, those of each partition."""
        parts: Iterable[PartitionCells] = self.parts.values()
        return sum([len(counts) for part in parts for starts in part.windows for counts in starts.values()])


def has_values(cell: CellSum, where: Mapping[str, str]) -> bool:
    """True if what is counted has these values of dimensions."""
    return all(cell.dimensions.get(name) == value for name, value in where.items())


def _is_wanted(cell: CellSum, where: Mapping[str, str] | None, measure: str | None) -> bool:
    return (measure is None or cell.measure == measure) and (not where or has_values(cell, where))
