"""Mixpanel: whose event it is, when it happened in which zone, and what makes two rows one event."""

import json
from typing import Any

import pytest

from streams.core.ingest.door import InputDoor, door_of
from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.repairs import Repair
from tests.core.ingest.examples import read
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import NEVER_MS

AT_S = 1_741_600_005
AT_MS = AT_S * 1000
PROPERTIES: dict[str, Any] = {"time": AT_S, "distinct_id": "4711", "$insert_id": "i-1"}


def value_of(name: str, **properties: Any) -> bytes:
    """An event with PROPERTIES, some of them changed."""
    return json.dumps({"event": name, "properties": PROPERTIES | properties}).encode()


def event(name: str = "Product Added", **properties: Any) -> Event:
    """Reads an event with PROPERTIES, some of them changed."""
    found = read(value_of(name, **properties))
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("time", "at_ms"),
    [
        (AT_S, AT_MS), (AT_MS, AT_MS), (str(AT_S), AT_MS), (AT_S + 0.5, AT_MS + 500), (AT_MS + 7, AT_MS + 7),
        (float(AT_S), AT_MS),
    ],
)  # fmt: skip
def test_time(time: Any, at_ms: int) -> None:
    """Seconds in an export, milliseconds in an import: its size tells."""
    found = event(time=time)
    assert (at_ms, ()) == (found.at_ms, found.repairs)


@pytest.mark.parametrize(
    ("time", "reason"),
    [("soon", Reason.BAD_TIME), (5, Reason.BAD_TIME), (None, Reason.MISSING_TIME), (True, Reason.WRONG_TYPE)],
)
def test_no_time(time: Any, reason: Reason) -> None:
    """What is no time of these centuries is refused."""
    found = read(value_of("Product Added", time=time))
    assert isinstance(found, Rejection)
    assert reason == found.reason


def test_an_old_project() -> None:
    """Its times count from 1970 by the clock of the project's zone: the zone of the input sets them right."""
    door = door_of(0, {"clicks": InputDoor("mixpanel", {}, "Europe/Rome")})
    found = RecordReader(door, "clicks").read(value_of("Product Added"), (), -1, NEVER_MS)
    assert isinstance(found, Event)
    assert (AT_MS - 3_600_000, (Repair.TIME_FORM,)) == (found.at_ms, found.repairs)
    utc = door_of(0, {"clicks": InputDoor("mixpanel", {}, "UTC")})
    found = RecordReader(utc, "clicks").read(value_of("Product Added"), (), -1, NEVER_MS)
    assert isinstance(found, Event)
    assert AT_MS == found.at_ms


@pytest.mark.parametrize(
    ("properties", "user", "device"),
    [
        ({}, "4711", None),
        ({"distinct_id": "$device:d-1"}, None, "d-1"),
        ({"distinct_id": "$device:d-1", "$device_id": "d-1"}, None, "d-1"),
        ({"distinct_id": "d-1", "$device_id": "d-1"}, None, "d-1"),
        ({"$device_id": "d-1"}, "4711", "d-1"),
        ({"$user_id": "7", "$device_id": "d-1"}, "7", "d-1"),
        ({"distinct_id": 5.0}, "5", None),
        ({"distinct_id": "undefined", "$device_id": "d-1"}, None, "d-1"),
    ],
)
def test_who(properties: dict[str, Any], user: str | None, device: str | None) -> None:
    """A `distinct_id` is a user's, unless it has the prefix of a device, or is the device's id."""
    found = event(**properties)
    assert (user, device) == (found.user_id, found.anonymous_id)


def test_signing_in() -> None:
    """`$identify` names the user and the device."""
    found = event("$identify", **{"$identified_id": "4711", "$anon_id": "$device:d-1"})
    assert ("identify", "4711", "d-1") == (found.type, found.user_id, found.anonymous_id)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"mp_processing_time_ms": 7, "$city": "Rome"}, True),  # exported again
        ({"distinct_id": "9"}, True),  # a later merge gave the row another person
        ({"time": AT_MS + 400}, True),  # the import has it to the millisecond
        ({"time": AT_S + 1}, False),
        ({"$insert_id": "i-2"}, False),
    ],
)
def test_one_event(changes: dict[str, Any], is_same: bool) -> None:
    """One `$insert_id`, name and second are one event, as in the tool."""
    assert is_same == (event().id == event(**changes).id)
    assert event().id != event("Order Completed").id  # an order's number is a poor `$insert_id`


def test_without_an_insert_id() -> None:
    """Then all that the event says tells it from others, but not what its way added."""
    none: dict[str, Any] = {"$insert_id": None}
    assert event(**none).id == event(**none, mp_processing_time_ms=7).id
    assert event(**none).id != event(**none, product_id="p-2").id


def test_events_of_one_second() -> None:
    """Times have whole seconds, so events of one second have no order: all are read, none is a copy."""
    names = ("Product Viewed", "Product Added", "Order Completed")
    assert 3 == len({event(name).id for name in names})


def test_pages() -> None:
    """The tool's own page view has its address in parts; other events have it whole."""
    parts = {
        "current_url_protocol": "https:", "current_domain": "shop.example", "current_url_path": "/cart",
        "current_url_search": "?step=2",
    }  # fmt: skip
    viewed = event("$mp_web_page_view", **parts)
    assert ("page", "https://shop.example/cart?step=2") == (viewed.type, viewed.context["page"]["url"])
    assert "buy" == moment_of(viewed)
    assert "buy" == moment_of(event("x", **{"$current_url": "https://shop.example/cart"}))


@pytest.mark.parametrize("name", ["$identify", "$create_alias", "$merge", "$experiment_started"])
def test_what_is_no_behaviour(name: str) -> None:
    """Calls that say who somebody is, and telemetry, move no journey on whatever page."""
    assert "none" == moment_of(event(name, **{"$current_url": "https://shop.example/cart"}))
