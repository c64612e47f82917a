"""Tens of thousands of mutated records of every format: none raises, and each ends in a named way."""

from streams.core.ingest.event import Reason
from tests.core.ingest.mutation import run

RECORDS = 50_000


def test_mutated_records() -> None:
    """Some are still read, whole or in parts, and some are refused; an item read again is the same."""
    ends = run(RECORDS, seed=1)
    assert sum(ends.values()) == RECORDS
    assert min(ends["event"], ends["items"], ends[Reason.UNDECODABLE], ends[Reason.UNKNOWN_FORMAT]) > 100
