"""Reads the keys of all profiles in the state, since some people are named there alone: they gave signals,
have no journey and were not forgotten.

Transitions name everybody who has a journey, for ever.
"""

from streams.core.processing.state_keys import PROFILE
from streams.log.port import Reader
from streams.topology import STATE


async def read_state_profiles(reader: Reader, partition: int | None = None) -> set[bytes]:
    """The keys of the profiles in the state of a partition, or of all."""
    found = set[bytes]()
    async for _, record in reader.scan(STATE.name, partition):
        if record.key is not None and record.key.startswith(PROFILE):
            found.add(record.key[1:].partition(b"\0")[0])
    return found


def profile_of_head(key: bytes) -> bytes | None:
    """The key of the profile whose head is the state record with this key; None: it is no head.

    Each profile in the state has one head, and whoever is forgotten loses it.
    """
    if not key.startswith(PROFILE):
        return None
    profile, _, part = key[1:].partition(b"\0")
    return None if part else profile
