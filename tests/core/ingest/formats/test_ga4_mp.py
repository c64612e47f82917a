"""The Measurement Protocol: several events a body, without ids, with or without times."""

import json
from typing import Any

import pytest

from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.formats.members import MAX_SHARED_BYTES
from tests.reading import NEVER_MS, READER

AT_US = 1_741_600_005_123_456
AT_MS = 1_741_600_005_123
ARRIVED_MS = 1_760_000_000_000
BODY: dict[str, Any] = {"client_id": "1846273.17", "timestamp_micros": str(AT_US)}


def read_at(value: bytes, at_ms: int = ARRIVED_MS) -> Event | Rejection | Items:
    """Reads a record that arrived at this time."""
    return READER.read(value, (), at_ms, NEVER_MS)


def body(*events: Any, **changes: Any) -> Event | Rejection | Items:
    """Reads a body of these events."""
    return read_at(json.dumps(BODY | changes | {"events": list(events)}).encode())


def event(*events: Any, **changes: Any) -> Event:
    """Reads a body of one event."""
    found = body(*events, **changes)
    assert isinstance(found, Event), found
    return found


def test_25_events() -> None:
    """Each event of a body is one item, a body of its own that is read as the same event again."""
    found = body(*({"name": "add_to_cart", "params": {"value": n % 2}} for n in range(25)), user_id="4711")
    assert isinstance(found, Items)
    assert 25 == len({item.outcome.id for item in found.items if isinstance(item.outcome, Event)})
    assert all(read_at(item.value) == item.outcome for item in found.items)
    assert {"u:4711"} == {item.outcome.profile for item in found.items if isinstance(item.outcome, Event)}


@pytest.mark.parametrize(
    ("changes", "own", "at_ms"),
    [
        ({}, {}, AT_MS),
        ({"timestamp_micros": AT_US}, {}, AT_MS),
        ({}, {"timestamp_micros": AT_US + 5_000_000}, AT_MS + 5000),
        ({}, {"params": {"timestamp_micros": str(AT_US + 5_000_000)}}, AT_MS + 5000),
        ({"timestamp_micros": None}, {}, ARRIVED_MS),
        ({}, {"timestamp_micros": "soon"}, AT_MS),
    ],
)
def test_time(changes: dict[str, Any], own: dict[str, Any], at_ms: int) -> None:
    """The event's own time counts, else the body's, else the arrival of the record."""
    assert at_ms == event({"name": "add_to_cart"} | own, **changes).at_ms


def test_sent_again() -> None:
    """A body that is sent again holds the same events, whatever form its numbers have."""
    once = event({"name": "add_to_cart", "params": {"value": 1, "currency": "EUR"}})
    again = event({"params": {"currency": "EUR", "value": 1}, "name": "add_to_cart"}, timestamp_micros=AT_US)
    assert once.id == again.id


def test_arrived_at_two_times() -> None:
    """Equal bodies without a time are two events if they arrive at two times, and one if at one."""
    value = json.dumps({"client_id": "1", "events": [{"name": "add_to_cart"}]}).encode()
    first, same, later = (read_at(value, at_ms) for at_ms in (ARRIVED_MS, ARRIVED_MS, ARRIVED_MS + 1))
    assert isinstance(first, Event)
    assert isinstance(later, Event)
    assert first == same
    assert first.id != later.id


def test_no_time_in_a_file() -> None:
    """When a record's own time is not known, there is none."""
    found = read_at(b'{"client_id": "1", "events": [{"name": "x"}]}', -1)
    assert isinstance(found, Rejection)
    assert Reason.MISSING_TIME == found.reason


def test_huge_body() -> None:
    """What is too large to be put into each of the items is left out of them; ids are not."""
    events = [{"name": "add_to_cart"}] * 9
    found = body(*events, user_location={"city": "x" * MAX_SHARED_BYTES}, user_id="4711")
    assert isinstance(found, Items)
    assert sum(len(item.value) for item in found.items) < 9 * MAX_SHARED_BYTES
    assert all(isinstance(item.outcome, Event) and "4711" == item.outcome.user_id for item in found.items)
