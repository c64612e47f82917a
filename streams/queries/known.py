"""Who is known by the state alone: people who gave signals, with a journey or without one, forgotten or not.

Transitions name everyone who has a journey, for ever. Whoever has none is found here.
"""

from streams.core.processing.step import GHOST, PROFILE
from streams.log.port import Reader
from streams.topology import STATE


async def known(reader: Reader) -> set[bytes]:
    """Keys of the profiles that are held in the state, and of those without a journey that were forgotten."""
    found = set[bytes]()
    async for _, record in reader.scan(STATE.name):
        if record.key is not None and record.key.startswith((PROFILE, GHOST)):
            found.add(record.key[1:].partition(b"\0")[0])
    return found
