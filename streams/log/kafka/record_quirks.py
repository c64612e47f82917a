"""How records are read and written in another way than aiokafka 0.14.0 does it: see `quirks`."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from streams.records import Headers

FIRST_FORMAT_WITH_HEADERS = 2  # of record batches

# Headers. The protocol requires header names to be UTF-8, but no broker checks it. aiokafka raises when it
# reads such a record, and would do so for ever: one record, by anyone who may write to an input, would stop a
# partition. So a batch that aiokafka cannot read is read again here, and what is not UTF-8 is replaced, as
# Java's clients do.


class _LenientBytes(bytearray):
    """Bytes of which every slice can be decoded."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _LenientBytes(found) if isinstance(at, slice) else found

    def decode(self, *_: Any) -> str:
        return super().decode("utf-8", "replace")


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    """A batch that is read in pure Python."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _LenientBytes(self._buffer)


class FetchedBatch:
    """A batch as the fetcher knows it. It is read by aiokafka's compiled code unless that fails."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch, self._raw = batch, raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (UnicodeDecodeError, CorruptRecordException):  # the latter without aiokafka's compiled code
            return iter(list(_LenientBatch(self._raw)))


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka has no types
    """What a fetch has brought of a partition, batch by batch."""

    def next_batch(self, *_: Any) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        if raw is not None and raw[self.MAGIC_OFFSET] >= FIRST_FORMAT_WITH_HEADERS:
            return FetchedBatch(batch, raw)
        return batch


# Cost. aiokafka's own class of records and its own way of adding one to a batch cost more than what they do.

Written = tuple[bytes | None, bytes | None, Headers, int | None]
"""Key, value, headers, and the time in ms (None: now)."""

_NO_HEADERS: list[tuple[str, bytes]] = []  # aiokafka takes no tuple


class FetchedRecord(msgspec.Struct, gc=False):
    """A `ConsumerRecord`: the same fields in the same order, and no work for the garbage collector."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    headers: Sequence[tuple[str, bytes]]


def fill(batch: BatchBuilder, records: Iterator[Written]) -> Written | None:
    """Does for each record what the batch's `append` does. Returns the first record that has no more room."""
    append, count = batch._builder.append, batch._relative_offset
    for record in records:
        key, value, headers, time_ms = record
        if append(count, time_ms, key, value, list(headers) if headers else _NO_HEADERS) is None:
            batch._relative_offset = count
            batch.close()
            return record
        count += 1
    batch._relative_offset = count
    return None
