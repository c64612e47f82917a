"""A dead letter is the item as it came; a huge one is cut, and says so."""

import pytest

from streams.core.ingest.event import Reason, Rejection
from streams.core.processing.dead_letters import MAX_VALUE_BYTES, rejected_item
from streams.records import Record


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_only_what_was_cut_says_so(more: int) -> None:
    """To the byte: an item of exactly the bound is whole."""
    value = b"x" * (MAX_VALUE_BYTES + more)
    letter = rejected_item("events:0", Record(0, -1, None, value), Rejection(Reason.UNDECODABLE, "not JSON"))
    assert letter.value == value[:MAX_VALUE_BYTES]
    assert dict(letter.headers).get("cut") == (b"true" if more > 0 else None)
