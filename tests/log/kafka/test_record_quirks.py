"""What is read and written in another way than aiokafka does it."""

from dataclasses import fields
from itertools import chain

import msgspec
import pytest
from aiokafka import ConsumerRecord
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy

from streams.log.kafka.record_quirks import FetchedRecord, LenientRecords, Written, fill

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ABOUT = {
    "is_transactional": 0,
    "producer_id": -1,
    "producer_epoch": -1,
    "base_sequence": -1,
    "batch_size": 1 << 20,
}


class Unreadable(str):
    """A name as no client of ours would write it."""

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfename"


NAME = Unreadable("??name")  # as long as its bytes: the builder measures the text


@pytest.mark.parametrize("codec", CODECS)
def test_a_name_that_is_no_text(codec: str) -> None:
    """Costs its own characters and nothing else: its record is read, those before and behind it too."""
    builder = _DefaultRecordBatchBuilderPy(magic=2, compression_type=CODECS[codec], **ABOUT)
    builder.append(0, 5, b"k", b"v", [("a", b"1")])
    builder.append(1, 6, None, b"w", [(NAME, b"2"), ("é", None)])
    builder.append(2, 7, b"x", None, [])
    records = LenientRecords(bytes(builder.build()))
    batch = records.next_batch()
    assert batch.validate_crc()
    assert [
        (record.offset, record.timestamp, record.key, record.value, record.headers) for record in batch
    ] == [
        (0, 5, b"k", b"v", [("a", b"1")]),
        (1, 6, None, b"w", [("\ufffd\ufffdname", b"2"), ("é", None)]),
        (2, 7, b"x", None, []),
    ]
    assert (batch.next_offset, records.has_next()) == (3, False)


def test_a_batch_that_can_be_read_is_read_as_ever() -> None:
    """By aiokafka's own reader; of several batches each."""
    builder = DefaultRecordBatchBuilder(magic=2, compression_type=0, **ABOUT)
    builder.append(0, 5, b"k", b"v", [("a", b"1")])
    raw = bytes(builder.build())
    records, found = LenientRecords(raw + raw + raw[:20]), []
    while records.has_next():
        found += [(record.offset, record.value) for record in records.next_batch()]
    assert found == [(0, b"v"), (0, b"v")]


def test_a_fetched_record_is_one_of_aiokafka() -> None:
    """It takes the same values in the same order."""
    assert [field.name for field in fields(ConsumerRecord)] == [
        field.name for field in msgspec.structs.fields(FetchedRecord)
    ]


def test_batches_are_filled_as_aiokafka_fills_them() -> None:
    """Byte for byte, and no record is lost or twice where a batch is full."""
    records: list[Written] = [
        (b"%d" % n, b"v" * n if n % 7 else None, (("a", b"1"), ("b", b"")) if n % 3 else (), n)
        for n in range(1, 100)
    ]
    found, expected = list[bytes](), list[bytes]()
    rest, left = iter(records), tuple[Written, ...]()
    while True:
        batch = BatchBuilder(1_000, 0)
        more = fill(batch, chain(left, rest))
        found.append(bytes(batch._build()))
        if more is None:
            break
        left = (more,)
    batch = BatchBuilder(1_000, 0)
    for key, value, headers, time_ms in records:
        if batch.append(timestamp=time_ms, key=key, value=value, headers=list(headers)) is None:
            expected.append(bytes(batch._build()))
            batch = BatchBuilder(1_000, 0)
            batch.append(timestamp=time_ms, key=key, value=value, headers=list(headers))
    expected.append(bytes(batch._build()))
    assert expected == found
    assert len(found) > 3
