"""Amplitude: the tool has corrected times that have no offset, and exports repeat."""

import json
from typing import Any

import pytest

from streams.core.ingest.event import Event, Items
from tests.core.ingest.examples import read
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import read_record

AT_MS = 1_741_600_005_123
ROW: dict[str, Any] = {
    "uuid": "6e9b7b8e-0000-11f0-8000-000000000001",
    "$insert_id": "i-1",
    "event_type": "Product Added",
    "event_time": "2025-03-10 09:46:45.123000",
    "device_id": "dev-1",
    "user_id": None,
    "event_properties": {},
}


def row(**changes: Any) -> Event:
    """Reads ROW with some fields changed."""
    found = read(json.dumps(ROW | changes).encode())
    assert isinstance(found, Event), found
    return found


def test_times_without_offset_are_utc() -> None:
    """No time of an export has an offset: all are UTC."""
    assert (AT_MS, ()) == (row().at_ms, row().repairs)


def test_the_tool_has_corrected_the_clock() -> None:
    """`event_time` is corrected already, and is not corrected again."""
    found = row(
        client_event_time="2025-03-10 09:46:35.123000",
        client_upload_time="2025-03-10 09:46:36.000000",
        server_received_time="2025-03-10 09:46:46.000000",
    )
    assert (AT_MS, -10_000) == (found.at_ms, found.clock_error_ms)


def test_the_clients_own_time() -> None:
    """Without an `event_time` the client's own is corrected in the same way."""
    found = row(
        event_time=None,
        client_event_time="2025-03-10 09:46:35.123000",
        client_upload_time="2025-03-10 09:46:36.000000",
        server_received_time="2025-03-10 09:46:46.000000",
    )
    assert AT_MS == found.at_ms


def test_exported_again() -> None:
    """An export repeats rows with other technical columns: one event. `event_id` is a person's counter."""
    again = row(
        processed_time="2025-03-11 00:00:00", server_upload_time="2025-03-11 00:00:00", data={"path": "x"}
    )
    assert row().id == again.id == ROW["uuid"]
    assert row(uuid=None, event_id=1).id == row(uuid=None, event_id=2).id == "i-1"
    none = {"uuid": None, "$insert_id": None}
    assert row(**none, event_id=1).id != row(**none, event_id=2).id
    assert row(**none, event_id=1).id == row(**none, event_id=1, processed_time="x").id


def test_short_ids() -> None:
    """The tool drops ids of fewer than five characters; here they are ids, unless they stand for none."""
    assert "u:4711" == row(user_id=4711).profile
    assert "d:dev-1" == row(user_id="None").profile
    assert "d:dev-1" == row(user_id="[object Object]").profile


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"os_name": "ios", "device_family": "Apple iPhone", "platform": "iOS"}, "mobile"),
        ({"os_name": "ios", "device_family": "Apple iPad"}, "tablet"),
        ({"os_name": "Chrome", "device_family": "Windows", "platform": "Web"}, "desktop"),
        ({"os_name": "Chrome Mobile", "device_type": "Android", "platform": "Web"}, "mobile"),
        ({"platform": "Android"}, "mobile"),
        ({"os_name": "Safari", "device_family": "Mac OS X"}, "desktop"),
        ({"platform": "Web"}, None),
    ],
)
def test_device_class(columns: dict[str, Any], expected: str | None) -> None:
    """The class of device by its system, family and type: on the web the system's name is the browser's."""
    assert expected == row(**columns).context.get("device", {}).get("type")


def test_revenue() -> None:
    """`$revenue`, `$price`, `$quantity` and `$productId` are read under the common names, too."""
    found = row(
        event_properties={"$revenue": 21.0, "$price": 10.5, "$quantity": 2, "$productId": "p-1"}
    ).properties
    assert (21.0, 10.5, "p-1") == (found["value"], found["price"], found["product_id"])
    assert "p-1" == found["products"][0]["product_id"]
    assert 5 == row(event_properties={"$revenue": 21.0, "value": 5}).properties["value"]


@pytest.mark.parametrize(
    ("language", "locale"), [("Italian", None), ("it", "it"), ("it-IT", "it-IT"), (7, None)]
)
def test_locale(language: Any, locale: str | None) -> None:
    """An export has the name of a language, which is no locale."""
    assert locale == row(language=language).context.get("locale")


def test_pages() -> None:
    """The tool's own page view is a page, with its address among its properties."""
    there = {"[Amplitude] Page URL": "https://shop.example/cart", "[Amplitude] Page Path": "/cart"}
    viewed = row(event_type="[Amplitude] Page Viewed", event_properties=there)
    assert ("page", "/cart") == (viewed.type, viewed.context["page"]["path"])
    assert "buy" == moment_of(viewed)
    screen = row(event_type="[Amplitude] Screen Viewed", event_properties={"[Amplitude] Screen Name": "Cart"})
    assert ("screen", "buy") == (screen.type, moment_of(screen))


@pytest.mark.parametrize(
    "name", ["$identify", "$groupidentify", "session_start", "session_end", "[Amplitude] Start Session"]
)
def test_what_is_no_behaviour(name: str) -> None:
    """Calls that say who somebody is, and telemetry, move no journey on whatever page."""
    there = {"[Amplitude] Page URL": "https://shop.example/cart"}
    assert "none" == moment_of(row(event_type=name, event_properties=there))


def test_a_body_of_the_http_api() -> None:
    """Each of its events is one item, read again alike; its times are milliseconds."""
    sent = {"device_id": "dev-1", "event_type": "Product Added", "time": AT_MS}
    body = {
        "api_key": "k",
        "client_upload_time": "2025-03-10T09:46:46Z",
        "events": [sent, {}, sent | {"insert_id": "x"}],
    }
    found = read_record(json.dumps(body).encode())
    assert isinstance(found, Items)
    events = [item.outcome for item in found.items if isinstance(item.outcome, Event)]
    assert ([AT_MS, AT_MS], "x") == ([event.at_ms for event in events], events[1].id)
    assert all(
        item.outcome == read_record(item.value) for item in found.items if isinstance(item.outcome, Event)
    )
