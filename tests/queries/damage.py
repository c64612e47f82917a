"""Damages to what a log holds, which a comparison must find."""

from streams.log.memory import MemoryLog
from streams.records import Record


def forge(log: MemoryLog, key: bytes, value: bytes | None) -> None:
    """Gives a counter another value, or loses it."""
    tallies = log._stored[0].compacted["tallies"]
    tallies.records = [record for record in tallies.records if record.key != key]
    tallies.latest.pop(key, None)
    if value is not None:
        tallies.put(key, value, ())


def without(records: list[Record], at: int) -> None:
    """Loses a record."""
    del records[at]


def twice(records: list[Record], at: int) -> None:
    """Doubles a record."""
    records.insert(at, records[at])
