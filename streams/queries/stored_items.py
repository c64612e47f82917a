"""Reads stored records as they were read when they came: by the rules and through the door of their era.

`verify` and `why` share this: both are about what the stored input says, whatever was in force when it came.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from streams.core.ingest.door import Door, door_of, is_readable
from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.partition import partition_of
from streams.core.ingest.times import LATEST_MS
from streams.core.moments.rules import Rules, load_rules
from streams.core.moments.verdict import RuleInfo
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.inbox import Forwarded, Redriven, decode_message
from streams.core.processing.items import read_items, read_redriven
from streams.core.processing.parameters import Parameters
from streams.core.processing.readers import Readers
from streams.core.processing.record_keys import person_key
from streams.core.processing.rulebook import Rulebook
from streams.core.processing.signals import Signals
from streams.core.processing.state_keys import DOOR, RULES, restored
from streams.log.port import Reader
from streams.queries.origins import Origin
from streams.records import Record, StateRecord
from streams.topology import STATE, is_inbox

# No event is too far ahead here: that was judged when it was read, and such items were recorded as rejected.
_ANY_SKEW_MS = ANY_TIME_MS = LATEST_MS
VERSIONS_HELD = 4  # of rules: a few megabytes and a third of a second each, and partitions have the same ones


class StoredItem(NamedTuple):
    """An item of the stored input, and what it was read as."""

    origin: Origin  # where it was read first
    outcome: Event | Rejection | Items | None  # Items: a record without any; None: it cannot be read at all
    signals: Signals  # of the rules that were in force
    value: bytes | None
    forwarded: bool  # read from the inbox
    redriven_by: str | None = None  # the command that redrove it; None: it was read for the first time


class Unreadable(msgspec.Struct, frozen=True):
    """A record of an era whose reader this release does not have."""

    reader: str  # which one it would need, in words


class ItemReader:
    """Reads the items of the records of one partition's sources."""

    def __init__(self, parameters: Parameters, book: Rulebook) -> None:
        self._book = book
        self._unreadable = [
            None if is_readable(door) else Unreadable(_reader_text(door)) for door in book.doors
        ]
        self._readers = [Readers(door) for door in book.doors]
        # (A foreign version was never in force, and has no text.)
        self._signals = [
            None
            if version.is_foreign
            else Signals(parameters, stored_rules(version.text), version.first_code)
            for version in book.versions
        ]

    def read(self, source: str, record: Record) -> Sequence[StoredItem] | Unreadable:
        """The items of a record of this source. A watermark report has none."""
        era = self._book.era_of(source, record.offset)
        unreadable = self._unreadable[era.door]
        if unreadable is not None:
            return unreadable
        signals, readers = self._signals[era.rules], self._readers[era.door]
        assert signals is not None, "a version of the rules that was in force"
        if not is_inbox(source):
            return [
                StoredItem(Origin(source, item.offset, item.index), outcome, signals, item.value, False)
                for item, outcome in zip(
                    *read_items(readers.of(source), [record], skew_ms=_ANY_SKEW_MS), strict=True
                )
            ]
        match decode_message(record.value):
            case None:
                return [StoredItem(Origin(source, record.offset, 0), None, signals, record.value, True)]
            case Forwarded() as message:
                origin = Origin(message.source, message.offset, message.index)
                _, (outcome,) = read_items(
                    readers.of(message.source), [message.record(record.key)], skew_ms=_ANY_SKEW_MS
                )
                return [StoredItem(origin, outcome, signals, message.value, True)]
            case Redriven() as message if not message.is_canonical:
                return [
                    StoredItem(
                        Origin(message.source, message.offset, message.index, item.part),
                        item.outcome,
                        signals,
                        item.record.value,
                        forwarded=True,
                        redriven_by=message.command,
                    )
                    for item in read_redriven(readers.of(message.source), message, ANY_TIME_MS)
                ]
        return ()

    def rule_of(self, code: int) -> tuple[RuleInfo, str]:
        """The rule with this code, and the version of the rules that it belongs to."""
        version = next(known for known in reversed(self._book.versions) if known.first_code <= code)
        return version.rules[code - version.first_code], version.version


async def read_rulebook(reader: Reader, partition: int, checkpoint: Checkpoint) -> Rulebook:
    """Every version of the rules and every door that was ever in force in a partition."""
    latest: dict[bytes, bytes | None] = {}
    async for record in reader.scan_versions(STATE.name, partition):
        if record.key is not None and record.key[:1] in (RULES, DOOR):
            latest[record.key] = record.value
    known = restored(StateRecord(key, value) for key, value in latest.items())
    versions = [known.versions[n] for n in sorted(known.versions)]
    doors = [known.doors[n] for n in sorted(known.doors)]
    return Rulebook(versions, doors, checkpoint.eras)


def owner_of(key: str, partitions: int) -> int:
    """The partition that owns the person of the profile with this key."""
    return partition_of(person_key(key), partitions)


def _reader_text(door: Door) -> str:
    """What would be needed to read this door's records, in words."""
    own = door_of(0)
    differs = [
        f"{name} {version}" for name, version in door.readers.items() if own.readers.get(name) != version
    ]
    robots = [door.apart.robots] if door.apart.robots not in ("", own.apart.robots) else []
    return ", ".join([*differs, *robots, f"time zones {door.zones or 'unknown'}"])


@lru_cache(VERSIONS_HELD)
def stored_rules(text: str) -> Rules:
    """The rules that were stored as this text."""
    return load_rules(text)
