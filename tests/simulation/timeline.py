"""What each partition has read and committed, batch by batch. Where there are several sources, the order in
which they were read decides what is late, and the stored input alone does not say it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from streams.core.ingest.event import Event
from streams.core.ingest.reading import RecordReader
from streams.core.processing.inbox import Message, decode_message
from streams.records import Fetched, Record
from streams.topology import is_inbox
from tests.simulation.watermarks import Watermarks

Origin = tuple[str, int]
"""The source of a record, and its offset there."""


class Read(NamedTuple):
    """A batch that was committed: the session that did it, the version of its rules, and all it had read."""

    session: int
    rules: str
    fetched: Sequence[Fetched]  # without what was left for a later batch
    watermark_ms: int = -1  # after it
    timers_ms: int = -1  # up to when timers have fired after it


class Sender(NamedTuple):
    """Who has sent a record of an inbox: a partition, in one of its batches."""

    partition: int
    batch: int


def records_of(timeline: Iterable[Read]) -> Iterator[tuple[str, Record, str]]:
    """Every record that was read, with its source and the version of the rules."""
    for batch in timeline:
        for fetched in batch.fetched:
            for source, records in fetched.chunks:
                for record in records:
                    yield source, record, batch.rules


def read_on(marks: Watermarks, batch: Read, reader: RecordReader) -> None:
    """Takes note of what a batch has read in the partition's own inputs."""
    for fetched in batch.fetched:
        for source, records in fetched.chunks:
            for record in [] if is_inbox(source) else records:
                limit_ms = record.time_ms + reader.skew_ms
                event = reader.read(record.value, record.headers, record.time_ms, limit_ms)
                if isinstance(event, Event):
                    marks.read(source, event.at_ms)
        marks.ended(fetched.ended)


def messages_of(inbox: Iterable[Record]) -> Iterator[tuple[int, Message]]:
    """The messages of an inbox, with their offsets."""
    for record in inbox:
        message = decode_message(record.value)
        assert message is not None, record
        yield record.offset, message
