"""Experience events of Adobe: the traps, one by one."""

import json
from typing import Any

import pytest

from streams.core.ingest.event import Event, Items
from streams.core.ingest.formats.xdm import MAX_SHARED_IDENTITY_CHARS
from streams.core.processing.amounts import MoneyReader
from streams.settings.fold import FoldSettings
from tests.core.ingest.formats.goldens import goldens
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import read_record

EVENT: dict[str, Any] = {
    "_id": "x-1",
    "timestamp": "2024-05-20T10:00:00Z",
    "eventType": "commerce.productViews",
    "identityMap": {"ECID": [{"id": "412", "primary": True}]},
}
AT_MS = 1_716_199_200_000  # of EVENT


def event(**changes: Any) -> Event:
    """EVENT with some fields changed, read."""
    fields = {key: value for key, value in (EVENT | changes).items() if value is not None}
    found = read_record(json.dumps(fields).encode())
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("spaces", "profile"),
    [
        ({"ECID": [{"id": "412"}]}, "d:412"),
        ({"FPID": [{"id": "f-1"}], "ECID": [{"id": "412"}]}, "d:412"),
        ({"FPID": [{"id": "f-1"}]}, "d:f-1"),
        ({"ECID": [{"id": "412", "primary": True}], "crmId": [{"id": "4711"}]}, "u:4711"),
        ({"Email": [{"id": "a@shop.example", "primary": True}], "crmId": [{"id": "4711"}]}, "u:4711"),
        ({"Email": [{"id": "a@shop.example"}], "ECID": [{"id": "412"}]}, "u:a@shop.example"),
        ({"loyalty": [{"id": 5}], "crmId": [{"id": "undefined"}, {"id": "7"}]}, "u:7"),
        ({"ECID": [{"id": "412"}], "crmId": [{"id": "4711", "authenticatedState": "loggedOut"}]}, "d:412"),
        ({"ECID": [{"id": "412"}], "crmId": [7, {"id": ""}, {}]}, "d:412"),
        ({"ECID": [{"id": "412"}], "crmId": {"id": "4711"}}, "d:412"),
    ],
)
def test_whose_it_is(spaces: dict[str, Any], profile: str) -> None:
    """The customer's number, else an address, else the device's id; whoever logged out is a device."""
    assert profile == event(identityMap=spaces).profile


def test_the_order_of_namespaces_does_not_matter() -> None:
    """One person is named alike in each event."""
    spaces = {"zId": [{"id": "z"}], "ECID": [{"id": "412"}], "aId": [{"id": "a"}], "Phone": [{"id": "1"}]}
    backwards = dict(reversed(spaces.items()))
    assert "u:a" == event(identityMap=spaces).profile == event(identityMap=backwards).profile


@pytest.mark.parametrize(
    ("changes", "name", "moment"),
    [
        ({"eventType": "commerce.purchases"}, "commerce.purchases", "truth"),
        ({"eventType": "commerce.checkouts"}, "commerce.checkouts", "buy"),
        ({"eventType": "commerce.saveForLaters"}, "commerce.saveForLaters", "buy"),
        ({"eventType": "commerce.cartAbandons"}, "commerce.cartAbandons", "none"),
        ({"eventType": "advertising.impressions"}, "advertising.impressions", "none"),
        ({"eventType": "web.webpagedetails.pageViews"}, "", "know, unsure"),
        (
            {"eventType": "web.webPageDetails.pageViews", "commerce": {"purchases": {"value": 1}}},
            "commerce.purchases",
            "truth",
        ),
        (
            {"eventType": None, "commerce": {"productViews": {"value": 1}, "checkouts": {"value": "1"}}},
            "commerce.checkouts",
            "buy",
        ),
        (
            {"eventType": None, "commerce": {"purchases": {"value": 0}, "productViews": {"value": 1}}},
            "commerce.productViews",
            "know",
        ),
        (
            {"eventType": "commerce.productViews", "commerce": {"purchases": 1}},
            "commerce.productViews",
            "know",
        ),
    ],
)
def test_names(changes: dict[str, Any], name: str, moment: str) -> None:
    """The type names an event; a view, or an event without one, is what it counts for the shop."""
    found = event(**changes)
    assert name == found.name
    if name:
        assert moment == moment_of(found)
    else:
        assert "page" == found.type


@pytest.mark.parametrize(
    ("west", "quarters"), [(-120, 8), (300, -20), (-345, 23), (0, 0), ("-120", 0), (100_000, 0), (None, 0)]
)
def test_minutes_west(west: Any, quarters: int) -> None:
    """The offset is what browsers give: minutes west of UTC."""
    assert quarters == event(placeContext={"localTimezoneOffset": west}).utc_offset_quarters


def test_a_price_of_several_pieces_is_no_price() -> None:
    """`priceTotal` is of all pieces of a line."""
    found = event(
        productListItems=[{"SKU": "a", "priceTotal": 60, "quantity": 2}, {"SKU": "b", "priceTotal": 9}]
    )
    assert [(None, 60), (9, 9)] == [(one.get("price"), one["total"]) for one in found.properties["products"]]


def test_several_events_share_an_identity() -> None:
    """The identity of the request is in each item; one that is huge is not repeated."""
    bodies = [{"xdm": {key: EVENT[key] for key in ("_id", "timestamp", "eventType")}} for _ in range(9)]
    request = {"xdm": {"identityMap": EVENT["identityMap"]}, "events": bodies}
    found = read_record(json.dumps(request).encode())
    assert isinstance(found, Items)
    assert ["d:412"] * 9 == [item.outcome.profile for item in found.items if isinstance(item.outcome, Event)]
    request["xdm"] = {"identityMap": {"ECID": [{"id": "412"}] * MAX_SHARED_IDENTITY_CHARS}}
    huge = read_record(json.dumps(request).encode())
    assert isinstance(huge, Items)
    assert all(len(item.value) < MAX_SHARED_IDENTITY_CHARS for item in huge.items)


def test_an_event_in_what_it_is_sent_in() -> None:
    """By itself, from the edge or into the platform: it is one event."""
    for around in ({"xdm": EVENT}, {"event": {"xdm": EVENT}}, {"body": {"xdmEntity": EVENT}, "header": {}}):
        assert event() == read_record(json.dumps(around).encode())


def test_no_address_of_the_network() -> None:
    """The IP address of a person is in no field of the event."""
    assert "192.0.2.7" not in str(event(environment={"ipV4": "192.0.2.7"}))


def test_moments_of_the_golden_file() -> None:
    """The shipped rules read the events of the golden file."""
    found = {golden.about: golden for golden in goldens("xdm")}
    assert "know" == moment_of(found["a page view"])
    assert "truth" == moment_of(found["a page view that counts a purchase"])
    assert "buy" == moment_of(found["put into the cart, without a type"])
    assert "know, unsure" == moment_of(found["a search"])
    assert "go" == moment_of(found["a link that was followed"])
    assert "refund" == moment_of(found["an order that was paid back in part"])


def test_what_the_only_item_costs_is_not_what_was_paid() -> None:
    """The order's total has the shipping too, and it is the amount of the purchase."""
    found = event(
        eventType="commerce.purchases",
        commerce={"purchases": {"value": 1}, "order": {"priceTotal": 95, "currencyCode": "EUR"}},
        productListItems=[{"SKU": "L-1", "priceTotal": 90, "quantity": 1}],
    )
    money = MoneyReader(FoldSettings().value, None, ()).read(found, ("",), is_refund=False)
    assert money is not None
    assert 95_00 == money.amount
