"""Following a topic partition: a follower asks again and again for what has come since, so that outputs need
not be scanned each time.

A follower of an append-only topic gets each record once. A follower of a compacted topic keeps a table, the
last record of each key, and removes what a tombstone names. Compaction removes the tombstones too: a follower
that slept through one would keep what is gone. A tail says so (`anew`); the follower then reads the partition
anew from there on, and at the end drops what it has not met again. `FollowedTable` does this.
"""

from collections.abc import Iterable, Sequence

import msgspec

from streams.records import Record

TAIL_LIMIT = 1_000  # records per call: a few hundred kilobytes as a rule


class TailPosition(msgspec.Struct, frozen=True, gc=False):
    """How far a follower has come. It is plain data: a follower may store it beside what it has made of the
    records.
    """

    offset: int  # of the next record
    # The wall clock when the follower last knew everything. -1 where the log itself knows what it has
    # removed.
    current_ms: int = -1


class Tail(msgspec.Struct, frozen=True, gc=False):
    """What has come since a position."""

    records: Sequence[Record]  # in offset order; a value of None is a tombstone where the topic is compacted
    position: TailPosition  # for the next call
    # Records between the position that was asked for and these may have been removed. Nothing is missing for
    # a follower without a position.
    anew: bool
    at_end: bool  # nothing more had been committed when the log answered


class FollowedTable:
    """The last record of each key of a compacted partition, as its followed records have it.

    While it is being read anew it keeps what it had: it changes from what was to what is, without a moment in
    which it is empty.
    """

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self._unconfirmed: set[bytes] = set()  # not met since the partition began to be read anew

    def apply(self, tail: Tail) -> list[bytes]:
        """Takes in what has come, and returns the keys that may have changed."""
        if tail.anew:
            self._unconfirmed = set(self.records)
        changed: dict[bytes, None] = {}
        for record in tail.records:
            assert record.key is not None, "every record of a compacted topic has a key"
            changed[record.key] = None
            self._unconfirmed.discard(record.key)
            if record.value is None:
                self.records.pop(record.key, None)
            else:
                self.records[record.key] = record
        if tail.at_end:
            self._remove(self._unconfirmed)
            changed.update(dict.fromkeys(self._unconfirmed))
            self._unconfirmed = set()
        return list(changed)

    def _remove(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            del self.records[key]
