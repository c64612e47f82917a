"""Records whose headers have names that are no text, in every form in which a batch may come."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy

from streams.log.kafka.quirks import LenientRecords

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
