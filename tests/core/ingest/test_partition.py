"""Records are routed as Java clients of Kafka route them."""

import pytest

from streams.core.ingest.event import Event
from streams.core.ingest.partition import murmur2, partition_of
from streams.core.processing.record_keys import person_key
from tests.core.ingest.examples import read, record
from tests.reading import key_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_known_hashes(key: bytes, signed: int) -> None:
    """The hashes are those of the Java client, whose integers are signed."""
    assert signed & 0xFFFFFFFF == murmur2(key)


@pytest.mark.parametrize(
    ("key", "partition"), [(b"a", 524), (b"ab", 434), (b"abc", 107), (b"123456789", 566), (b"\x00 ", 742)]
)
def test_known_partitions(key: bytes, partition: int) -> None:
    """The partitions of a topic with a thousand of them are those that the Java client chooses."""
    assert partition == partition_of(key, 1000) == partition_of(key, 1000)


def test_the_empty_key() -> None:
    """The hash of the empty key is the Java client's, but its partition is 0."""
    assert 681 == (murmur2(b"") & 0x7FFFFFFF) % 1000
    assert 0 == partition_of(b"", 1000)


def test_one_partition_and_long_keys() -> None:
    """A single partition takes all; a long key is routed like any other."""
    assert 0 == partition_of(b"abc", 1)
    assert (murmur2(b"x" * 100_001) & 0x7FFFFFFF) % 7 == partition_of(b"x" * 100_001, 7)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (record(), b"user-1"),
        (record(userId=None), b"device-1"),
        (record(userId=""), b"device-1"),
        (record(userId=42), b"42"),
        (record(userId="é"), "é".encode()),
        (record(userId=None, anonymousId=None), b""),
        (record(userId=1.5, anonymousId=None), b""),
        (record(userId="a\x00", anonymousId=None), b""),
        (record(userId="\ud800", anonymousId=None), b""),
        (b"", b""),
        (b"[" * 100_000, b""),
        (b"\xff", b""),
        (record(event="x" * (1 << 20)), b""),
    ],
)
def test_keys(value: bytes, key: bytes) -> None:
    """The key is that of the event's person, and empty if there is none."""
    assert key == key_of(value)
    found = read(value)
    if isinstance(found, Event):
        assert key == person_key(found.profile) == found.profile[2:].encode()
