"""Compares two logs that read the same events: do their net transitions and their counters say the same?

Each log may have other partitions than the other. Net transitions and counters do not depend on that, nor on
the order in which events came. They are compared as far as both logs can say something:

- up to the time until which both have judged silence: a log that is behind says nothing about later times.
- from the time on from which both still have their transitions: the first ones of an old app were deleted by
  age. Its transitions of a step were written after the step happened, give or take the accepted skew.
- counters of days that lie between the two, and of all time if nothing was left out.

What is late is judged by arrival. So two logs may differ in a late event, and the late ones are counted. Logs
under other fold settings may differ in anything, so the settings that differ are named.

Memory is bounded: a first reading adds up a hash of each step, per hour. Two sets with equal sums are equal.
If an hour differs, a second reading does the same for its minutes, and a third one collects one minute.
Agents may be at work meanwhile. So what is compared of a log belongs to one checkpoint, as `verify` does it:
later transitions are passed over by their `rev`, and so are counters of a day in which one has changed since.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from streams.core.funnels.windows import KEPT_MIN
from streams.core.ingest.times import LATEST_MS, MINUTE_MS
from streams.core.processing.checkpoint import Checkpoint, decode_checkpoint
from streams.core.processing.json_text import rfc3339
from streams.errors import Unavailable
from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.queries.lag import read_lag
from streams.settings.fold import DifferingSetting, differing_settings
from streams.topology import TALLIES, TRANSITIONS

HOUR_CHARS, MINUTE_CHARS = 13, 16  # of a time in RFC 3339
# What a record says about itself, and not about the step or the counter.
OF_THE_RECORD = ("rev", "op", "partition", "count", "cell")
OF_OPENINGS = ("cohort", "been_in")  # measures of the window in which a journey was opened
_SUM_BITS = (1 << 128) - 1

Sums = dict[str, int]
"""A sum of hashes per stretch of time."""


class ComparedSide(msgspec.Struct, frozen=True):
    """What one of the two logs has."""

    name: str
    received: int
    late: int
    rejected: int
    unread: int | None  # records of its inputs that it has not processed; None: a transaction decides
    transitions: int = 0  # net ones that were compared
    left_out: int = 0  # asserted ones outside of the time that was compared


class Difference(msgspec.Struct, frozen=True):
    """Something that one log says and the other does not, or that they count differently."""

    what: dict[str, Any]
    one: int  # how often it holds in the first log, or how much it counts
    other: int


class Comparison(msgspec.Struct, frozen=True):
    """What became of it."""

    one: ComparedSide
    other: ComparedSide
    since: str | None  # None: from the beginning
    until: str | None  # None: there is nothing to compare
    transition: Difference | None = None  # the first one that differs
    counter: Difference | None = None
    windows: tuple[str, ...] = ()  # of the counters that were compared
    settings: tuple[DifferingSetting, ...] = ()  # the fold settings that differ

    @property
    def same(self) -> bool:
        """Something was compared, and nothing differs."""
        return self.until is not None and self.transition is None and self.counter is None


class Named(NamedTuple):
    """A log, and what a person calls it."""

    name: str
    reader: Reader


class _LogAt(NamedTuple):
    """A log as its partitions left it at these checkpoints. None: nothing was committed yet."""

    reader: Reader
    checkpoints: list[Checkpoint | None]

    @property
    def begun(self) -> list[Checkpoint]:
        """The checkpoints that there are."""
        return [checkpoint for checkpoint in self.checkpoints if checkpoint is not None]

    def rev(self, partition: int) -> int:
        """The last transition record of a partition."""
        checkpoint = self.checkpoints[partition]
        return 0 if checkpoint is None else checkpoint.rev

    def batches(self, partition: int) -> int:
        """The last batch of a partition."""
        checkpoint = self.checkpoints[partition]
        return 0 if checkpoint is None else checkpoint.batches


class _Range(NamedTuple):
    """Times in RFC 3339 between which steps are compared."""

    since: str
    until: str

    def has(self, step: dict[str, Any]) -> bool:
        """Whether this step is compared. One that silence caused at the very end may not be judged yet."""
        at: str = step["at"]
        return self.since <= at and (at < self.until or (at == self.until and step["event"] is not None))


async def compare_logs(one: Named, other: Named, skew_ms: int) -> Comparison:
    """Compares two logs. `skew_ms`: how far an event's time may be ahead of its arrival.

    Raises Incompatible for a log of another format, Unavailable, Refused.
    """
    logs = [await _log_now(named.reader) for named in (one, other)]
    sides = [await _side(named, log) for named, log in zip((one, other), logs, strict=True)]
    folds = [log.begun[0].fold for log in logs if log.begun]
    settings = tuple(differing_settings(*folds)) if len(folds) == len(logs) else ()
    since_ms = max([await _kept_since_ms(log.reader, skew_ms) for log in logs])
    # Timers follow the watermark one millisecond behind it.
    until_ms = min(_judged_ms(log.begun) for log in logs) + 1
    if until_ms < max(since_ms, 1):
        return Comparison(sides[0], sides[1], None, None, settings=settings)
    within = _Range(rfc3339(since_ms) if since_ms > 0 else "", rfc3339(until_ms))
    sums: list[Sums] = []
    for number, log in enumerate(logs):
        counted, inside, outside = Sums(), 0, 0
        async for at, text, weight in _steps(log, within):
            if text:
                _add(counted, at[:HOUR_CHARS], text, weight)
                inside += weight
            else:
                outside += weight > 0
        sums.append(counted)
        sides[number] = msgspec.structs.replace(sides[number], transitions=inside, left_out=outside)
    first_hour = _first_difference(*sums)
    transition = None if first_hour is None else await _differing_step(logs, within, first_hour)
    windows = ("day",) if any(side.left_out for side in sides) else ("day", "all")
    newest_ms = max(last.watermark_ms for log in logs for last in log.begun)
    oldest_ms = newest_ms - KEPT_MIN[-1] * MINUTE_MS  # later days are kept by both
    counters = _ComparedCounters(logs, within, windows, rfc3339(max(oldest_ms, since_ms, 0)))
    counter = await counters.first_difference()
    return Comparison(
        sides[0],
        sides[1],
        since=within.since or None,
        until=within.until,
        transition=transition,
        counter=counter,
        windows=counters.compared,
        settings=settings,
    )


async def _log_now(reader: Reader) -> _LogAt:
    return _LogAt(
        reader, [None if raw is None else decode_checkpoint(raw) for raw in await reader.checkpoints()]
    )


async def _side(named: Named, log: _LogAt) -> ComparedSide:
    counts = [checkpoint.counts for checkpoint in log.begun]
    lag = await read_lag(log.reader)
    return ComparedSide(
        named.name,
        received=sum(one.received for one in counts),
        late=sum(one.late for one in counts),
        rejected=sum(one.rejected for one in counts),
        unread=lag.total,
    )


def _judged_ms(checkpoints: list[Checkpoint]) -> int:
    """Until when every partition that has read something has judged silence; -1: none has read anything."""
    return min([last.timers_fired_ms for last in checkpoints if last.counts.received], default=-1)


async def _kept_since_ms(reader: Reader, skew_ms: int) -> int:
    """From when on all transitions are still there; 0 if none was deleted."""
    since_ms = 0
    for number in range(reader.partitions):
        tail = await reader.tail(TRANSITIONS.name, number, TailPosition(0), limit=1)
        if tail.anew:  # offset 0 does not exist any more
            first_ms = tail.records[0].time_ms if tail.records else LATEST_MS
            since_ms = max(since_ms, first_ms + skew_ms)
    return since_ms


async def _steps(log: _LogAt, within: _Range) -> AsyncIterator[tuple[str, bytes, int]]:
    """When the step of each record happened, its content (empty if it is not compared), and
    1 for an assert, -1 for a retract.
    """
    async for partition, record in log.reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = orjson.loads(record.value)
        if step["rev"] <= log.rev(partition):
            weight = 1 if step["op"] == "assert" else -1
            yield step["at"], _content(step) if within.has(step) else b"", weight


def _content(value: dict[str, Any]) -> bytes:
    for name in OF_THE_RECORD:
        value.pop(name, None)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _add(sums: Sums, stretch: str, text: bytes, weight: int) -> None:
    digest = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())
    sums[stretch] = (sums.get(stretch, 0) + weight * digest) & _SUM_BITS


def _differences(one: Sums, other: Sums) -> list[str]:
    return sorted(at for at in one.keys() | other.keys() if one.get(at, 0) != other.get(at, 0))


def _first_difference(one: Sums, other: Sums) -> str | None:
    return next(iter(_differences(one, other)), None)


async def _differing_step(logs: Sequence[_LogAt], within: _Range, hour: str) -> Difference:
    """The first step of this hour that the logs do not have equally often."""
    sums: list[Sums] = []
    for log in logs:
        counted = Sums()
        async for at, text, weight in _steps(log, within):
            if text and at.startswith(hour):
                _add(counted, at[:MINUTE_CHARS], text, weight)
        sums.append(counted)
    minute = _first_difference(*sums)
    steps: dict[bytes, list[int]] = {}
    for number, log in enumerate(logs):
        async for at, text, weight in _steps(log, within):
            if text and minute is not None and at.startswith(minute):
                steps.setdefault(text, [0, 0])[number] += weight
    differing = [(orjson.loads(text), counts) for text, counts in steps.items() if counts[0] != counts[1]]
    if not differing:
        raise Unavailable("transitions were deleted by age while they were compared: ask again")
    what, (one, other) = min(differing, key=lambda found: (found[0]["at"], found[0]["id"]))
    return Difference(what, one, other)


class _ComparedCounters:
    """The counters of two logs, partitions added up."""

    def __init__(self, logs: Sequence[_LogAt], within: _Range, windows: tuple[str, ...], oldest: str) -> None:
        self._logs, self._within, self._windows, self._oldest = logs, within, windows, oldest
        # Starts of windows in which a counter is newer than its checkpoint; the start of `all` is empty.
        self._newer: set[str] = set()

    @property
    def compared(self) -> tuple[str, ...]:
        """The windows that were compared."""
        return tuple(window for window in self._windows if window != "all" or "" not in self._newer)

    async def first_difference(self) -> Difference | None:
        """The first counter that does not come to the same in both logs."""
        sums: list[Sums] = []
        for log in self._logs:
            counted = Sums()
            async for start, text, count in self._read(log):
                _add(counted, start, text, count)
            sums.append(counted)
        for start in _differences(*sums):
            if start not in self._newer and (found := await self._differing_cell(start)) is not None:
                return found
        return None

    async def _differing_cell(self, start: str) -> Difference | None:
        """The first counter of windows that begin then; None if one of them has changed meanwhile."""
        cells: dict[bytes, list[int]] = {}
        for number, log in enumerate(self._logs):
            async for at, text, count in self._read(log):
                if at == start:
                    cells.setdefault(text, [0, 0])[number] += count
        differing = [found for found in cells.items() if found[1][0] != found[1][1]]
        if start in self._newer or not differing:
            return None
        text, (one, other) = min(differing)
        return Difference(orjson.loads(text), one, other)

    async def _read(self, log: _LogAt) -> AsyncIterator[tuple[str, bytes, int]]:
        """The start of each counter's window, what it counts, and its count."""
        async for partition, record in log.reader.scan(TALLIES.name):
            if record.value is None:
                continue
            cell = orjson.loads(record.value)
            start, count = cell["start"] or "", cell["count"]
            if cell["window"] not in self._windows:
                continue
            if start and not (self._oldest <= start and _day_end(start) <= self._within.until):
                continue
            # What became of a day's journeys may have changed after the time that is compared.
            if cell["measure"] in OF_OPENINGS and "all" not in self._windows:
                continue
            if cell["rev"] > log.batches(partition):
                self._newer.add(start)
            yield start, _content(cell), count


def _day_end(start: str) -> str:
    """The end of the day that begins then. Days are those of UTC: the last instant has the same date."""
    return f"{start[:10]}T23:59:59.999Z"
