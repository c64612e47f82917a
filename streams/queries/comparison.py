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

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from streams.core.funnels.windows import KEPT_MIN
from streams.core.ingest.times import LATEST_MS, MINUTE_MS
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.json_text import rfc3339
from streams.errors import Unavailable
from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.queries.compared_counters import ComparedCounters
from streams.queries.compared_log import (
    Difference,
    HashSums,
    LogAt,
    add_hash,
    content_of_record,
    differing_stretches,
    log_now,
)
from streams.queries.lag import read_lag
from streams.settings.fold import DifferingSetting, differing_settings
from streams.topology import TRANSITIONS

HOUR_CHARS, MINUTE_CHARS = 13, 16  # of a time in RFC 3339


class ComparedSide(msgspec.Struct, frozen=True):
    """What one of the two logs has."""

    name: str
    received: int
    late: int
    rejected: int
    unread: int | None  # records of its inputs that it has not processed; None: a transaction decides
    transitions: int = 0  # net ones that were compared
    left_out: int = 0  # asserted ones outside of the time that was compared


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


class _TimeSpan(NamedTuple):
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
    logs = [await log_now(named.reader) for named in (one, other)]
    sides = [await _side(named, log) for named, log in zip((one, other), logs, strict=True)]
    folds = [log.begun[0].fold for log in logs if log.begun]
    settings = tuple(differing_settings(*folds)) if len(folds) == len(logs) else ()
    since_ms = max([await _kept_since_ms(log.reader, skew_ms) for log in logs])
    # Timers follow the watermark one millisecond behind it.
    until_ms = min(_judged_ms(log.begun) for log in logs) + 1
    if until_ms < max(since_ms, 1):
        return Comparison(sides[0], sides[1], None, None, settings=settings)
    within = _TimeSpan(rfc3339(since_ms) if since_ms > 0 else "", rfc3339(until_ms))
    sums: list[HashSums] = []
    for number, log in enumerate(logs):
        counted, inside, outside = HashSums(), 0, 0
        async for at, text, weight in _steps(log, within):
            if text:
                add_hash(counted, at[:HOUR_CHARS], text, weight)
                inside += weight
            else:
                outside += weight > 0
        sums.append(counted)
        sides[number] = msgspec.structs.replace(sides[number], transitions=inside, left_out=outside)
    first_hour = next(iter(differing_stretches(*sums)), None)
    transition = None if first_hour is None else await _differing_step(logs, within, first_hour)
    windows = ("day",) if any(side.left_out for side in sides) else ("day", "all")
    newest_ms = max(last.watermark_ms for log in logs for last in log.begun)
    oldest_ms = newest_ms - KEPT_MIN[-1] * MINUTE_MS  # later days are kept by both
    counters = ComparedCounters(
        logs, windows, oldest=rfc3339(max(oldest_ms, since_ms, 0)), until=within.until
    )
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


async def _side(named: Named, log: LogAt) -> ComparedSide:
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


async def _steps(log: LogAt, within: _TimeSpan) -> AsyncIterator[tuple[str, bytes, int]]:
    """When the step of each record happened, its content (empty if it is not compared), and
    1 for an assert, -1 for a retract.
    """
    async for partition, record in log.reader.scan(TRANSITIONS.name):
        if record.value is None:
            continue
        step = orjson.loads(record.value)
        if step["rev"] <= log.rev(partition):
            weight = 1 if step["op"] == "assert" else -1
            yield step["at"], content_of_record(step) if within.has(step) else b"", weight


async def _differing_step(logs: Sequence[LogAt], within: _TimeSpan, hour: str) -> Difference:
    """The first step of this hour that the logs do not have equally often."""
    sums: list[HashSums] = []
    for log in logs:
        counted = HashSums()
        async for at, text, weight in _steps(log, within):
            if text and at.startswith(hour):
                add_hash(counted, at[:MINUTE_CHARS], text, weight)
        sums.append(counted)
    minute = next(iter(differing_stretches(*sums)), None)
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
