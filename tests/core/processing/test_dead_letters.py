"""A dead letter is the item as it came; a huge one is cut, and says so."""

import pytest

from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.headers import SCHEMA_HEADER
from streams.core.ingest.reading import RecordReader
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.population import Population
from streams.core.journeys.state import Patience
from streams.core.processing.checkpoint import Checkpoint
from streams.core.processing.dead_letters import LATE_BY_TIME, MAX_VALUE_BYTES, late_item, rejected_item
from streams.core.processing.inbox import Forwarded, decode_message
from streams.core.processing.items import read_items
from streams.core.processing.open_batch import OpenBatch
from streams.records import DecodedRecord, Headers, Record


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_only_what_was_cut_says_so(more: int) -> None:
    """To the byte: an item of exactly the bound is whole."""
    value = b"x" * (MAX_VALUE_BYTES + more)
    letter = rejected_item("events:0", Record(0, -1, None, value), Rejection(Reason.UNDECODABLE, "not JSON"))
    assert letter.value == value[:MAX_VALUE_BYTES]
    assert dict(letter.headers).get("cut") == (b"true" if more > 0 else None)


@pytest.mark.parametrize(("late_s", "shown"), [(3.5, b"3.5"), (0.0, b"0.0"), (-3.5, b"0.0")])
def test_an_update_that_is_late_is_not_ahead(late_s: float, shown: bytes) -> None:
    """It is late by the time of its order; its own may be ahead of the watermark."""
    event = Event("e", 0, 0, None, "1", "track", "Order Updated", {}, {})
    letter = late_item("events:0", Record(0, -1, None, b"{}"), event, "u:1", (LATE_BY_TIME, late_s))
    assert shown == dict(letter.headers)["late_s"]


ORIGINAL = b"\0\0\0\0\x07avro"


def decoded(value: bytes, original: bytes = ORIGINAL, headers: Headers = ()) -> DecodedRecord:
    """A record whose value was decoded where it was read."""
    return DecodedRecord(4, -1, b"k", value, headers, original=original)


def test_a_decoded_record_is_kept_as_it_came() -> None:
    """Its schema is named by its bytes, or by a header that goes with them."""
    named = (SCHEMA_HEADER, b"\x01" + bytes(16))
    given = decoded(b"{}", headers=(("other", b"x"), named))
    letter = rejected_item("events:0", given, Rejection(Reason.UNKNOWN_FORMAT, "an empty object"))
    assert ORIGINAL == letter.value
    assert named in letter.headers
    assert ("other", b"x") not in letter.headers


def test_of_a_person_who_refuses_nothing_is_kept() -> None:
    """Neither what was read, nor what it was before it was decoded."""
    refused = Rejection(Reason.MISSING_TIME, "timestamp", is_refused=True)
    for given in (Record(4, -1, b"k", b"{}"), decoded(b"{}")):
        letter = rejected_item("events:0", given, refused)
        assert (None, b"") == (letter.key, letter.value)
        assert b"4" == dict(letter.headers)["offset"]


def test_a_forwarded_item_is_kept_as_it_came() -> None:
    """The owner partition has the JSON and what it was before: as much of that as a dead letter holds."""
    for size in (10, MAX_VALUE_BYTES, MAX_VALUE_BYTES + 1, 10 * MAX_VALUE_BYTES):
        batch, original = OpenBatch(), b"\0" * size
        batch.forward("events:0", decoded(b"{}", original), b"who", 1)
        (sent,) = batch.outputs(Population(Patience(), FinalityDelay(0)), None, Checkpoint(1, b""), None)  # type: ignore[arg-type]  # nothing to publish
        assert len(sent.value or b"") < 2 * MAX_VALUE_BYTES
        message = decode_message(sent.value)
        assert isinstance(message, Forwarded)
        found = message.record(b"who")
        assert b"{}" == found.value
        letter = rejected_item("events:0", found, Rejection(Reason.UNKNOWN_FORMAT, "an empty object"))
        assert original[:MAX_VALUE_BYTES] == letter.value
        assert (size > MAX_VALUE_BYTES) == ("cut" in dict(letter.headers))


def test_one_of_several_items_is_kept_as_json() -> None:
    """It has no bytes of its own in what came."""
    several = decoded(b'[{"type": "track"}, {"type": "page"}]')
    items, _ = read_items(RecordReader(door_of(0), "events"), [several])
    assert [b'{"type":"track"}', b'{"type":"page"}'] == [item.value for item in items]
    for item in items:
        letter = rejected_item("events:0", item, Rejection(Reason.MISSING_PERSON, "none"))
        assert item.value == letter.value
