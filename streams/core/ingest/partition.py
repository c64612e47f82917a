"""Finds the partition of a person: everything about one person goes to one partition agent, and so in order.

The hash is the one that Java clients of Kafka use by default, so that topics filled by them and by us agree.
"""

import struct
from functools import lru_cache

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
MASK = 0xFFFFFFFF
MAX_KEYS = 65_536  # hashes that are remembered, since a visit has many events of one key; about 10 MB
MAX_KEPT_KEY_BYTES = 1024  # the longest id has 256 characters of 4 bytes; longer keys are hashed each time


def murmur2(key: bytes) -> int:
    """The 32-bit Murmur2 hash, unsigned."""
    length = len(key)
    words = length // 4
    h = SEED ^ (length & MASK)
    for k in struct.unpack_from(f"<{words}I", key):
        k = k * MULTIPLIER & MASK
        h = h * MULTIPLIER & MASK ^ (k ^ k >> 24) * MULTIPLIER & MASK
    if length % 4:
        h = (h ^ int.from_bytes(key[words * 4 :], "little")) * MULTIPLIER & MASK
    h = (h ^ h >> 13) * MULTIPLIER & MASK
    return h ^ h >> 15


_remembered = lru_cache(MAX_KEYS)(murmur2)


def partition_of(key: bytes, count: int) -> int:
    """The partition of a key among `count` (at least 1). The empty key, nobody's, is in partition 0."""
    if count == 1 or not key:
        return 0
    h = _remembered(key) if len(key) <= MAX_KEPT_KEY_BYTES else murmur2(key)
    return (h & 0x7FFFFFFF) % count
