"""Matomo's tracking requests and log of visits: the traps, one by one."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.formats.matomo import MAX_SHARED_CHARS
from streams.core.ingest.formats.matomo_request import MAX_REQUEST_FIELDS, offset_of
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import DOOR, NEVER_MS, READER, read_record

AT_S = 1_716_199_200  # 2024-05-20T10:00:00Z
REQUEST: dict[str, Any] = {
    "idsite": 1,
    "rec": 1,
    "_id": "0123456789abcdef",
    "cdt": AT_S,
    "url": "https://shop.example/about",
    "rand": 17,
}
VISIT: dict[str, Any] = {"idSite": "1", "idVisit": "7", "visitorId": "0123456789abcdef", "userId": "4711"}


def query(**changes: Any) -> str:
    """REQUEST as a query string, with some parameters changed."""
    return "?" + urlencode({key: value for key, value in (REQUEST | changes).items() if value is not None})


def event(**changes: Any) -> Event:
    """A tracking request, read."""
    found = read_record(query(**changes).encode())
    assert isinstance(found, Event), found
    return found


def actions(*given: dict[str, Any], **visit: Any) -> list[Event]:
    """The events of a visit with these actions."""
    found = read_record(json.dumps(VISIT | visit | {"actionDetails": given}).encode())
    events = [item.outcome for item in found.items] if isinstance(found, Items) else [found]
    assert all(isinstance(one, Event) for one in events), events
    return [one for one in events if isinstance(one, Event)]


@pytest.mark.parametrize(
    ("changes", "name", "moment"),
    [
        ({"idgoal": 0, "ec_id": "T-1", "revenue": "5"}, "ecommerceOrder", "truth"),
        ({"idgoal": 0, "revenue": "5"}, "ecommerceAbandonedCart", "buy"),
        ({"idgoal": 3}, "goal", "know"),
        ({"search": "how to hang a lamp"}, "search", "do"),
        ({"e_c": "shop", "e_a": "Add to cart"}, "Add to cart", "buy"),
        ({"link": "https://maps.google.com/?q=shop"}, "outlink", "go"),
        ({"download": "https://shop.example/manual.pdf"}, "download", "do"),
        ({"ping": 1, "url": "https://shop.example/cart"}, "ping", "know, unsure"),
        ({"_pks": "L-1"}, "product_view", "know"),
        ({"action_name": "Cart", "url": "https://shop.example/cart"}, "Cart", "buy"),
    ],
)
def test_what_a_request_tells(changes: dict[str, Any], name: str, moment: str) -> None:
    """Its parameters show what was done."""
    found = event(**changes)
    assert (name, moment) == (found.name, moment_of(found))


def test_an_order_is_told_from_a_cart_by_its_id() -> None:
    """Both have idgoal 0; a number and a text are the same."""
    order = {"idgoal": "0", "ec_id": "T-1"}
    found = read_record(json.dumps(REQUEST | order).encode())
    assert isinstance(found, Event)
    assert ("ecommerceOrder", "T-1") == (found.name, found.properties["order_id"])
    assert event(**order).name == event(idgoal=0, ec_id="T-1").name == found.name


@pytest.mark.parametrize(
    "value",
    [
        query(),
        query()[1:],
        "/matomo.php" + query(),
        "https://stats.example/matomo.php" + query(),
        json.dumps(query()),
        json.dumps({key: str(value) for key, value in REQUEST.items()}),
        json.dumps({"requests": [query()]}),
    ],
)
def test_forms_of_a_request(value: str) -> None:
    """As an address, as a query string, as an object, or in a body: it is one event."""
    found = read_record(value.encode())
    if isinstance(found, Items):
        (item,) = found.items
        assert isinstance(item.outcome, Event)
        found = item.outcome
    assert event() == found


@pytest.mark.parametrize(
    ("cdt", "at_s"), [(AT_S, AT_S), (str(AT_S), AT_S), ("2024-05-20 10:00:00", AT_S), (" 1716199200", AT_S)]
)
def test_times(cdt: Any, at_s: int) -> None:
    """A number of seconds, or a text in UTC."""
    found = event(cdt=cdt)
    assert (at_s * 1000, ()) == (found.at_ms, found.repairs)


def test_a_live_request_has_no_time() -> None:
    """It happens when it arrives: the record's own time counts, and without one there is none."""
    found = READER.read(query(cdt=None).encode(), (), AT_S * 1000, NEVER_MS)
    assert isinstance(found, Event)
    assert AT_S * 1000 == found.at_ms
    rejected = read_record(query(cdt=None).encode())
    assert isinstance(rejected, Rejection)
    assert Reason.MISSING_TIME == rejected.reason
    assert 0 == DOOR.skew_ms


@pytest.mark.parametrize(
    ("local", "utc", "east"),
    [(720, 600, 120), (0, 1380, 60), (1380, 0, -60), (30, 720, 750), (719, 719, 0), (604, 600, 0)],
)
def test_the_clock_of_a_person(local: int, utc: int, east: int) -> None:
    """Minutes of the day show how far a clock is from UTC, to the quarter of an hour."""
    assert east == offset_of(local, utc)


def test_local_time() -> None:
    """`h` and `m` of a request, and the first action of a visit, show it."""
    assert 8 == event(h=12, m=0).utc_offset_quarters
    assert 0 == event(h="x", m=0).utc_offset_quarters
    one, two = actions(
        {"type": "action", "timestamp": AT_S},
        {"type": "action", "timestamp": AT_S + 7200},
        firstActionTimestamp=AT_S,
        visitLocalTime="12:00:30",
    )
    assert 8 == one.utc_offset_quarters == two.utc_offset_quarters


def test_ids() -> None:
    """A request that is sent again is one event; two requests are two, if only by their `rand`."""
    assert event().id == event(token_auth="x", cip="192.0.2.7", send_image=0).id
    assert event().id != event(rand=18).id


def test_ids_of_actions() -> None:
    """An action has its own id, or a fingerprint that the rest of the visit does not change."""
    action = {"type": "action", "timestamp": AT_S, "url": "https://shop.example/", "idpageview": "a"}
    (first,), (again,) = actions(action), actions(action, deviceType="TV", visitDuration=9)
    (named,) = actions(action | {"idlink_va": "55"})
    assert first.id == again.id
    assert "55" == named.id
    assert first.id != actions(action | {"idpageview": "b"})[0].id


def test_a_visit_holds_many_actions() -> None:
    """Each is an event by itself, with the person, the device and the country of the visit."""
    found = actions(
        {"type": "action", "timestamp": AT_S, "url": "https://shop.example/product/1"},
        {"type": "search", "timestamp": AT_S + 10, "siteSearchKeyword": "lamp"},
        {"type": "outlink", "timestamp": AT_S + 20, "url": "https://maps.google.com/?q=shop"},
        {"type": "ecommerceAbandonedCart", "timestamp": AT_S + 30, "revenue": 5},
        {"type": "ecommerceOrder", "timestamp": AT_S + 40, "revenue": 5, "orderId": "T-1"},
        deviceType="Phablet",
        countryCode="it",
    )
    assert ["know", "know, unsure", "go", "buy", "truth"] == [moment_of(one) for one in found]
    assert {"u:4711"} == {one.profile for one in found}
    assert [AT_S * 1000 + 10_000 * n for n in range(5)] == [one.at_ms for one in found]
    assert all("mobile" == one.context["device"]["type"] for one in found)
    assert all("IT" == one.context["location"]["country"] for one in found)
    assert "T-1" == found[-1].properties["order_id"]


def test_what_the_actions_of_a_visit_share_is_bounded() -> None:
    """A long text of the visit is not repeated beside each of its actions."""
    many = [{"type": "action", "timestamp": AT_S}] * 50
    found = read_record(json.dumps(VISIT | {"referrerUrl": "x" * 100_000, "actionDetails": many}).encode())
    assert isinstance(found, Items)
    assert all(len(item.value) < 1000 + MAX_SHARED_CHARS for item in found.items)


def test_secrets_and_addresses_stay_outside() -> None:
    """The token of the API and the address of the network are in no field of an event, and in no item."""
    given = query(token_auth="secret", cip="192.0.2.7")
    assert "secret" not in str(event(token_auth="secret"))
    assert "192.0.2.7" not in str(event(cip="192.0.2.7"))
    body = {"requests": [query(), query(rand=2)], "token_auth": "secret"}
    found = read_record(json.dumps(body).encode())
    assert isinstance(found, Items)
    assert all(b"secret" not in item.value for item in found.items)
    (one,) = actions({"type": "action", "timestamp": AT_S}, visitIp="192.0.2.7")
    assert "192.0.2.7" not in str(one)
    assert isinstance(read_record(given.encode()), Event)


def test_a_line_of_a_log_is_no_request() -> None:
    """A request in a line of an access log is another format's."""
    line = f'192.0.2.7 - - [20/May/2024:10:00:00 +0000] "GET /matomo.php{query()} HTTP/1.1" 204 - "-" "-"'
    assert "matomo" != detect(line, ())


def test_too_many_parameters() -> None:
    """Such a request is nobody's."""
    found = read_record((query() + "&a=1" * MAX_REQUEST_FIELDS).encode())
    assert isinstance(found, Rejection)
    assert Reason.MISSING_PERSON == found.reason


def test_a_visit_among_requests() -> None:
    """Each of its actions is an item of its own, as it is in a visit that stands alone."""
    visit = VISIT | {"actionDetails": [{"type": "action", "timestamp": AT_S + n} for n in range(2)]}
    found = read_record(json.dumps({"requests": [query(), visit]}).encode())
    assert isinstance(found, Items)
    assert 3 == len({item.outcome.id for item in found.items if isinstance(item.outcome, Event)})
    assert all(item.outcome == read_record(item.value) for item in found.items)
