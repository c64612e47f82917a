"""Lists the records of an append-only topic, those that are there or those that come, each with its time.

A transition and a finished journey have a time of their own, the event time at which they happened. A record
that was rejected or late is listed by when it was put aside: its own time may be missing or wrong. That time
is the record's, so a log that finds records by their times can skip the others.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import msgspec

from streams.core.ingest.times import parse_time
from streams.log.port import Reader
from streams.log.tail import TailPosition
from streams.queries.time_range import EVER, TimeRange
from streams.records import Record
from streams.topology import CUES, JOURNEYS, TRANSITIONS, Topic

FOLLOWED_AT_ONCE = 20_000  # records of all partitions together: a few megabytes


class Listed(NamedTuple):
    """One record with its time. The greater is the later."""

    time_ms: int  # milliseconds since 1970, UTC
    partition: int
    record: Record


class _Dated(msgspec.Struct):
    """The times that the values of these topics have."""

    at: str | None = None  # of a transition
    closed_at: str | None = None  # of a finished journey
    refunded_at: str | None = None  # of a refund of one


_decode = msgspec.json.Decoder(_Dated).decode


async def list_records(reader: Reader, topic: Topic, times: TimeRange = EVER) -> AsyncIterator[Listed]:
    """The records of the topic whose times lie in the range, partition by partition, in order."""
    time_of = _time_of(topic)
    since_ms = times.since_ms if time_of is _written_ms else None
    async for partition, record in reader.scan(topic.name, since_ms=since_ms):
        if record.value is not None and times.has(time_ms := time_of(record)):
            yield Listed(time_ms, partition, record)


async def follow_records(
    reader: Reader, topic: Topic, times: TimeRange, wait: Callable[[], Awaitable[object]]
) -> AsyncIterator[Listed]:
    """The records of the topic and those that come, without an end. `wait` is awaited when nothing came."""
    time_of, limit = _time_of(topic), max(1, FOLLOWED_AT_ONCE // reader.partitions)
    positions: list[TailPosition | None] = [None] * reader.partitions
    while True:
        # All at once: a broker holds back the answer that there is nothing.
        tails = await asyncio.gather(
            *[reader.tail(topic.name, number, position, limit) for number, position in enumerate(positions)]
        )
        positions = [tail.position for tail in tails]
        for partition, tail in enumerate(tails):
            for record in tail.records:
                if record.value is not None and times.has(time_ms := time_of(record)):
                    yield Listed(time_ms, partition, record)
        if all(tail.at_end for tail in tails):
            await wait()


def _time_of(topic: Topic) -> Callable[[Record], int]:
    return _happened_ms if topic in (TRANSITIONS, CUES, JOURNEYS) else _written_ms


def _written_ms(record: Record) -> int:
    return record.time_ms


def _happened_ms(record: Record) -> int:
    assert record.value is not None
    dated = _decode(record.value)
    parsed = parse_time(dated.at or dated.closed_at or dated.refunded_at or "")
    assert parsed is not None, "transitions, cues and journeys have the time at which they happened"
    return parsed[0]
