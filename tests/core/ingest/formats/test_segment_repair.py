"""Bytes that are not UTF-8: what becomes of a record never depends on which of its fields are looked at."""

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from streams.core.ingest.event import MAX_RECORD_BYTES, Event, Items, Reason, Rejection
from streams.core.ingest.repairs import Repair
from streams.core.processing.record_keys import person_key
from tests.core.ingest.examples import EVENT, NEVER_MS
from tests.reading import key_of, read_record

DECISIVE = (
    "messageId", "userId", "anonymousId", "event", "name",
    "timestamp", "originalTimestamp", "sentAt", "receivedAt", "type",
)  # fmt: skip
RECORDS: dict[str, dict[str, Any]] = {
    "a purchase": {
        "type": "track", "messageId": "m1", "userId": "ann", "anonymousId": "d1", "event": "Order Completed",
        "timestamp": "2024-05-20T10:00:00Z", "name": "ignored", "sentAt": "2024-05-20T10:00:00Z",
        "properties": {"order_id": "o1", "products": [{"category": "Games"}]},
        "context": {"page": {"path": "/cart"}, "timezone": "Europe/Rome"}, "channel": "web",
        "traits": {"age": 3}, "x": "ignored",
    },
    "a page by the device's clock": {
        "messageId": "m1", "anonymousId": "d1", "name": "Cart", "type": "page", "context": None,
        "originalTimestamp": "2024-05-20T10:00:00Z", "receivedAt": "2024-05-20T10:00:02Z",
        "sentAt": "2024-05-20T10:00:01Z",
    },
    "no event": {"type": "dance", "userId": "ann", "note": "none"},
}  # fmt: skip
# Bytes that are not UTF-8 in the place of another: never valid, a stray continuation, a cut-off start.
DAMAGES = (0xFF, 0x80, 0xE5)


def _expected(text: str) -> bytes | None:
    """The record as it must be read; None: undecodable. `text` has U+FFFD where it is damaged, only there."""
    try:
        pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=lambda members: members)
    except ValueError:
        return None
    for key, value in pairs:
        known = [name for name in DECISIVE if re.fullmatch(key.replace("\ufffd", ".+"), name)]
        if known and ("\ufffd" in key or (isinstance(value, str) and "\ufffd" in value)):
            return None
    return text.encode()


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_damage_at_every_position(name: str) -> None:
    """Undecodable in ids, person, names, times and their keys; elsewhere read with U+FFFD, and marked."""
    whole = json.dumps(RECORDS[name]).encode()
    undecodable = read = 0
    for at in range(len(whole)):
        for byte in DAMAGES:
            value = whole[:at] + bytes([byte]) + whole[at + 1 :]
            found = read_record(value, (), NEVER_MS)
            repaired = _expected(value.decode("utf-8", "replace"))
            if repaired is None:
                assert isinstance(found, Rejection), (at, value)
                assert found.reason is Reason.UNDECODABLE, (at, value)
                undecodable += 1
                continue
            same = read_record(repaired, (), NEVER_MS)
            assert found == (
                replace(same, repairs=(Repair.ENCODING,)) if isinstance(same, Event) else same
            ), (at, value)
            if isinstance(found, Event):
                assert key_of(value) in (b"", person_key(found.profile)), (at, value)
            read += 1
    assert undecodable > 20
    assert read > 20


def test_a_damaged_key_of_the_events_name_loses_nothing_silently() -> None:
    """The purchase whose key `event` is damaged is rejected, not read as an event without a name."""
    whole = json.dumps(RECORDS["a purchase"]).encode()
    found = read_record(whole.replace(b'"event"', b'"ev\xe5nt"'), (), NEVER_MS)
    assert isinstance(found, Rejection)
    assert found.reason is Reason.UNDECODABLE


def test_calls_of_a_batch_are_repaired_by_themselves() -> None:
    """Damage in one call, or beside them, takes no other call with it."""
    call = json.dumps(EVENT).encode()
    odd = call.replace(b"{", b'{"x": "\xff", ', 1)
    bad = call.replace(b'"userId": "', b'"userId": "\xff')
    assert bad != call
    found = read_record(b'{"y": "\xff", "batch": [%s, %s, %s]}' % (call, odd, bad), (), NEVER_MS)
    assert isinstance(found, Items)
    outcomes = [item.outcome for item in found.items]
    assert [item.value for item in found.items] == [call, odd, bad]
    assert [
        o.repairs if isinstance(o, Event) else o.reason for o in outcomes if not isinstance(o, Items)
    ] == [
        (),
        (Repair.ENCODING,),
        Reason.UNDECODABLE,
    ]


def test_a_record_may_grow_by_its_repair() -> None:
    """The bound of a record is for the bytes as they came."""
    start = json.dumps(EVENT).encode()[:-1] + b', "x": "'
    value = start + b"\xff" * (MAX_RECORD_BYTES - len(start) - 2) + b'"}'
    assert len(value) == MAX_RECORD_BYTES
    found = read_record(value, (), NEVER_MS)
    assert isinstance(found, Event)
    assert found.repairs == (Repair.ENCODING,)
