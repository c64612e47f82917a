"""The export of Google Analytics 4: one event in two tables, numbers as text, one time for a whole batch."""

import json
from typing import Any

import pytest

from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.formats.ga4 import MAX_EVENTS_OF_A_PAGE
from tests.core.ingest.examples import read

AT_US = 1_741_600_005_123_456
AT_MS = 1_741_600_005_123
ROW: dict[str, Any] = {
    "event_name": "add_to_cart",
    "event_timestamp": str(AT_US),
    "event_params": [{"key": "ga_session_id", "value": {"int_value": "17"}}],
    "user_pseudo_id": "1846273.1741600000",
    "stream_id": "4410",
    "event_bundle_sequence_id": "77",
    "batch_page_id": "1741600001000",
    "batch_ordering_id": "2",
    "batch_event_index": "1",
}


def row(**changes: Any) -> Event:
    """Reads ROW with some columns changed."""
    found = read(json.dumps(ROW | changes).encode())
    assert isinstance(found, Event), found
    return found


def param(name: str, **value: Any) -> dict[str, Any]:
    """A parameter with its value in one of four columns."""
    return {"key": name, "value": value}


def test_numbers_as_text() -> None:
    """64-bit numbers are text in one export and numbers in another: the event is the same."""
    numbers = {key: int(value) for key, value in ROW.items() if isinstance(value, str) and value.isdigit()}
    as_numbers = row(**numbers, event_params=[param("ga_session_id", int_value=17)])
    assert row() == as_numbers
    assert (AT_MS, 17) == (as_numbers.at_ms, as_numbers.properties["ga_session_id"])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"string_value": "EUR"}, "EUR"),
        ({"int_value": "9007199254740993"}, 9_007_199_254_740_993),
        ({"int_value": 5}, 5),
        ({"float_value": 1.5}, 1.5),
        ({"double_value": 12.5}, 12.5),
        ({"string_value": None, "int_value": None, "float_value": None, "double_value": 0.0}, 0.0),
        ({"string_value": "", "int_value": None}, ""),
        ("bare", "bare"),
    ],
)
def test_a_value_in_any_column(columns: Any, expected: Any) -> None:
    """The value is the one column that is not null: text, whole number, float or double."""
    found = row(event_params=[{"key": "value", "value": columns}])
    assert expected == found.properties["value"]


def test_one_event_in_two_tables() -> None:
    """The intraday and the daily table hold an event once each, with other columns: it has one id."""
    daily = row(
        event_date="20250310",
        is_active_user=True,
        session_traffic_source_last_click={"manual_campaign": {"source": "google"}},
        user_first_touch_timestamp="1741600000000000",
        event_params=[param("ga_session_id", int_value="17"), param("engaged_session_event", int_value="1")],
    )
    assert row().id == daily.id


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_id": "1"}, {"user_pseudo_id": "2"}, {"event_name": "view_item"},
        {"event_timestamp": str(AT_US + 1)}, {"event_bundle_sequence_id": "78"}, {"batch_page_id": "2"},
        {"batch_ordering_id": "3"}, {"batch_event_index": "2"},
    ],
)  # fmt: skip
def test_other_events(changes: dict[str, Any]) -> None:
    """Rows that differ in one of the columns that tell events apart are two events."""
    assert row().id != row(**changes).id


def test_without_ordinals() -> None:
    """Apps and older rows have no numbers within a batch: there the parameters tell events apart."""
    none = {"batch_page_id": None, "batch_ordering_id": None, "batch_event_index": None}
    one, two = param("a", string_value="1"), param("b", double_value=2.0)
    assert row(**none, event_params=[one, two]).id == row(**none, event_params=[two, one]).id
    assert row(**none, event_params=[one]).id != row(**none, event_params=[two]).id


def test_a_batch_keeps_its_order() -> None:
    """All events of a batch have one microsecond; each comes a millisecond after the one before it."""
    times = [row(batch_event_index=str(number)).at_ms for number in (1, 2, 3)]
    assert [AT_MS, AT_MS + 1, AT_MS + 2] == times


@pytest.mark.parametrize("number", [None, 0, -1, "x", MAX_EVENTS_OF_A_PAGE + 1, 1.5, [], True])
def test_no_number_in_a_batch(number: Any) -> None:
    """What is no number within a batch changes no time."""
    assert AT_MS == row(batch_event_index=number).at_ms


def test_consent_denied() -> None:
    """Without a device's id nobody is made one person with all who refused; a user is still a person."""
    found = read(json.dumps(ROW | {"user_pseudo_id": None}).encode())
    assert isinstance(found, Rejection)
    assert Reason.MISSING_PERSON == found.reason
    assert "u:4711" == row(user_pseudo_id=None, user_id="4711").profile


def test_both_ids() -> None:
    """A row of somebody who is signed in names the device too."""
    found = row(user_id="4711")
    assert ("4711", "1846273.1741600000") == (found.user_id, found.anonymous_id)


def test_the_first_touch_is_no_campaign() -> None:
    """`traffic_source` is where the person first came from, and `event_date` is in the property's zone."""
    found = row(
        traffic_source={"source": "mail", "medium": "email", "name": "x"},
        event_date="19990101",
        collected_traffic_source={"manual_source": "google", "manual_medium": "cpc"},
        session_traffic_source_last_click={"manual_campaign": {"source": "bing"}},
    )
    assert {"source": "google", "medium": "cpc"} == found.context["campaign"]
    assert "campaign" not in row(traffic_source={"source": "mail"}).context
    assert AT_MS == found.at_ms


@pytest.mark.parametrize(
    ("seconds", "quarters"),
    [("3600", 4), (-18000, -20), ("19800", 22), (0, 0), (None, 0), ("x", 0), (10**6, 0), ("-10800", -12)],
)
def test_local_time(seconds: Any, quarters: int) -> None:
    """The person's clock is `device.time_zone_offset_seconds` from UTC."""
    assert quarters == row(device={"time_zone_offset_seconds": seconds}).utc_offset_quarters


def test_an_order() -> None:
    """The order id stands among the parameters or in `ecommerce`; items become products."""
    found = row(
        event_name="purchase",
        ecommerce={"transaction_id": "T-1", "purchase_revenue": 59.9},
        items=[{"item_id": "A", "item_category": "Shoes", "quantity": "2", "item_brand": "(not set)"}, None],
    )
    assert ("T-1", 59.9) == (found.properties["order_id"], found.properties["value"])
    (product,) = found.properties["products"]
    assert ("A", "Shoes", 2) == (product["product_id"], product["category"], product["quantity"])
    assert "brand" not in product
    own = row(event_params=[param("transaction_id", string_value="T-2")], ecommerce={"transaction_id": "T-1"})
    assert "T-2" == own.properties["order_id"]


def test_a_purchase_without_an_order_id() -> None:
    """It is exported, too, with the words (not set) in the place of the order id: no order id."""
    found = row(event_name="purchase", ecommerce={"transaction_id": "(not set)"})
    assert "order_id" not in found.properties
    assert "order_id" not in row(event_name="purchase").properties


@pytest.mark.parametrize("name", ["page_view", "screen_view", "purchase"])
def test_types(name: str) -> None:
    """Views are page and screen calls under the tool's own names; all else is a track call."""
    found = row(event_name=name)
    assert ({"page_view": "page", "screen_view": "screen"}.get(name, "track"), name) == (
        found.type,
        found.name,
    )
