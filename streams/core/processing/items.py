"""Reads the items of records: an item ends in exactly one way, and a record may hold several."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from streams.core.ingest.event import Items, Reason, reject
from streams.core.ingest.reading import ReadOutcome, RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.processing.inbox import Redriven
from streams.records import Record


def read_items(
    reader: RecordReader, records: Sequence[Record], latest_ms: int = LATEST_MS, skew_ms: int | None = None
) -> tuple[Sequence[Record], Sequence[ReadOutcome]]:
    """The items of these records, and what each was read as.

    `latest_ms`: no record was appended later. `skew_ms`: how far ahead of its own record an event may be
    dated; None: as far as the door says.
    """
    read, skew_ms = reader.read, reader.skew_ms if skew_ms is None else skew_ms
    limit_ms = min(latest_ms + skew_ms, LATEST_MS)
    outcomes = [
        read(
            record.value,
            record.headers,
            record.time_ms,
            record.time_ms + skew_ms if 0 <= record.time_ms < latest_ms else limit_ms,
        )
        for record in records
    ]
    return (records, outcomes) if Items not in map(type, outcomes) else _expand(records, outcomes)


class RedrivenItem(NamedTuple):
    """One of the items that a dead letter is read as now."""

    record: Record  # where its dead letter was read first; the bytes of this item
    part: int  # which of these items it is
    outcome: ReadOutcome


def read_redriven(reader: RecordReader, message: Redriven, sent_ms: int) -> list[RedrivenItem]:
    """The items of a dead letter, read once more, as if its record had been sent at this time. There is at
    least one.

    An item that was sent on stays one: its sender has counted the parts.
    """
    limit_ms, record = min(sent_ms + reader.skew_ms, LATEST_MS), message.record()
    outcome = reader.read(record.value, record.headers, record.time_ms, limit_ms)
    if type(outcome) is Items and outcome.items:
        if message.is_sent_on:
            found = reject(Reason.UNDECODABLE, "its owner reads several items where the sender read one")
            return [RedrivenItem(record, message.part, found)]
        return [
            RedrivenItem(msgspec.structs.replace(record, value=item.value), part, item.outcome)
            for part, item in enumerate(outcome.items)
        ]
    return [RedrivenItem(record, message.part, outcome)]


def _expand(
    records: Sequence[Record], outcomes: Sequence[ReadOutcome]
) -> tuple[list[Record], list[ReadOutcome]]:
    """Puts the items of each record that holds several in its place. A record without items stays one."""
    items: list[Record] = []
    read: list[ReadOutcome] = []
    for record, outcome in zip(records, outcomes, strict=True):
        if type(outcome) is Items and outcome.items:
            for index, item in enumerate(outcome.items):
                items.append(
                    Record(record.offset, record.time_ms, record.key, item.value, record.headers, index)
                )
                read.append(item.outcome)
        else:
            items.append(record)
            read.append(outcome)
    return items, read
