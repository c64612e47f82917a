"""Enriched events of Snowplow: the traps, one by one."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.formats.snowplow_rows import COLUMNS
from streams.core.ingest.repairs import Repair
from tests.core.ingest.formats.goldens import goldens
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import read_record

ROW: dict[str, Any] = {
    "event_id": "8a0e7a52-6c0e-4d6a-8d25-0d3a9f3c1b01",
    "event": "page_view",
    "event_name": "page_view",
    "collector_tstamp": "2024-05-20 10:00:03.000",
    "dvce_created_tstamp": "2024-05-20 10:00:01.000",
    "dvce_sent_tstamp": "2024-05-20 10:00:02.500",
    "derived_tstamp": "2024-05-20 10:00:01.500",
    "domain_userid": "d-1",
    "network_userid": "n-1",
    "page_url": "https://shop.example/product/1",
}
AT_MS = 1_716_199_201_500  # of ROW
SESSION = "contexts_com_snowplowanalytics_snowplow_client_session_1"


def line(**changes: Any) -> bytes:
    """ROW as a line, with some columns changed."""
    row = ROW | changes
    return "\t".join(str(row.get(column) or "") for column in COLUMNS).encode()


def event(**changes: Any) -> Event:
    """ROW as an object, with some columns changed, read."""
    found = read_record(json.dumps(ROW | changes).encode())
    assert isinstance(found, Event), found
    return found


def test_a_line_and_an_object_are_one_event() -> None:
    """The columns hold the same whichever way they came, and there are 131 of them."""
    assert 131 == len(COLUMNS) == len(set(COLUMNS))
    assert event() == read_record(line())
    assert event(app_id=None) == read_record(line(app_id=""))
    assert event() == read_record(line() + b"\r\n")


def test_a_line_without_its_last_columns() -> None:
    """Empty columns at the end may be missing; a line with more than all is refused."""
    assert event() == read_record(line().rstrip(b"\t"))
    found = read_record(line() + b"\tmore")
    assert isinstance(found, Rejection)
    assert Reason.UNDECODABLE == found.reason


@pytest.mark.parametrize(
    ("changes", "at_ms", "repair"),
    [
        ({}, AT_MS, None),
        ({"true_tstamp": "2024-05-20 09:00:00.000"}, 1_716_195_600_000, None),
        # A clock of the year 9999 gives a derived time before Christ: the collector's counts.
        (
            {"dvce_sent_tstamp": "9999-05-28 13:13:23.260", "derived_tstamp": "-5965-09-20 15:44:22.721"},
            1_716_199_203_000,
            Repair.TIME,
        ),
        ({"derived_tstamp": None}, 1_716_199_203_000, None),
        # Later than it was collected, which cannot be.
        (
            {"derived_tstamp": "2024-05-20 11:00:00.000", "dvce_sent_tstamp": None},
            1_716_199_203_000,
            Repair.CLOCK,
        ),
        # Months were counted as 30 days: the derived time is days off, and the other three say what it is.
        (
            {
                "dvce_created_tstamp": "2024-02-11 09:00:00.000",
                "dvce_sent_tstamp": "2024-04-09 04:00:00.000",
                "collector_tstamp": "2024-04-09 04:00:01.000",
                "derived_tstamp": "2024-02-08 09:00:01.000",
            },
            1_707_642_001_000,
            None,
        ),
        # A queue of years: it was sent in 2024, and it happened in 2022.
        (
            {"dvce_created_tstamp": "2022-05-20 10:00:01.000", "derived_tstamp": "2022-05-20 10:00:01.500"},
            1_653_040_801_500,
            None,
        ),
    ],
)  # fmt: skip
def test_times(changes: dict[str, Any], at_ms: int, repair: Repair | None) -> None:
    """Each time is UTC, and the derived one counts where it can be right."""
    found = event(**changes)
    assert at_ms == found.at_ms
    assert (repair is not None) == (repair in found.repairs)


def test_times_without_an_offset_are_utc() -> None:
    """The zone of the person or of the input does not move them."""
    found = event(os_timezone="America/New_York")
    assert (AT_MS, -16) == (found.at_ms, found.utc_offset_quarters)


def test_one_id_with_two_fingerprints_is_two_events() -> None:
    """Robots repeat ids. A copy that was enriched again has the same id and the same fingerprint."""
    first, other = event(event_fingerprint="aa"), event(event_fingerprint="bb")
    again = event(event_fingerprint="aa", etl_tstamp="2024-06-01 00:00:00", v_etl="other", app_id="moved")
    assert first.id == again.id != other.id
    assert ROW["event_id"] == event().id


def test_a_row_without_an_id() -> None:
    """It has a fingerprint, which technical columns do not change."""
    ids = {event(event_id="", etl_tstamp=text, event_fingerprint=text).id for text in ("a", "b")}
    assert 1 == len(ids)
    assert event(event_id="", page_url="https://shop.example/product/2").id not in ids


@pytest.mark.parametrize(
    ("changes", "device"),
    [
        ({}, "d-1"),
        ({"domain_userid": None}, "n-1"),
        ({"domain_userid": None, SESSION: [{"userId": "app-1"}]}, "app-1"),
        ({"domain_userid": None, f"{SESSION}_0_2": '[{"user_id": "app-1"}]'}, "app-1"),
    ],
)
def test_devices(changes: dict[str, Any], device: str) -> None:
    """A browser has a domain_userid, an app the entity of its session; network_userid comes last."""
    assert device == event(**changes).anonymous_id


def test_a_server_is_no_device() -> None:
    """The collector gives each of its requests a new network_userid, which is nobody's."""
    found = event(platform="srv")
    assert ("d-1", "server") == (found.anonymous_id, found.channel)
    rejected = read_record(json.dumps(ROW | {"platform": "srv", "domain_userid": None}).encode())
    assert isinstance(rejected, Rejection)
    assert Reason.MISSING_PERSON == rejected.reason


MOMENTS = [
    ("a page view: a line of 131 columns", "know"),
    ("an order of the shop's entities, in a line", "truth"),
    ("a product that was put into the cart: one entity", "buy"),
    ("a search: its terms are the query", "know, unsure"),
    ("a refund of part of an order", "refund"),
    ("a row of a warehouse: all cells are text", "know"),
    ("a structured event: its action is the name", "buy"),
    ("a legacy order", "truth"),
    ("a line of a legacy order", "none"),
    ("a server's event: true_tstamp is when it happened", "truth"),
    ("an open page: a sign of life", "know, unsure"),
]


@pytest.mark.parametrize(("about", "moment"), MOMENTS)
def test_moments(about: str, moment: str) -> None:
    """The shipped rules read the events of the golden file."""
    golden = next(golden for golden in goldens("snowplow") if golden.about == about)
    assert moment == moment_of(golden)


def test_a_heartbeat_on_a_page_of_the_cart() -> None:
    """A page_ping moves no journey, whatever the page."""
    found = event(event="page_ping", event_name="page_ping", page_url="https://shop.example/cart")
    assert "know, unsure" == moment_of(found)


@pytest.mark.parametrize("cell", ["", "[", "{}", '{"data": 7}', '{"data": [7, {"schema": 3}]}', "[[]]", 7])
def test_entities_that_are_none(cell: Any) -> None:
    """Whatever stands where entities belong, the event is read."""
    columns = ("contexts", "derived_contexts", "unstruct_event", "contexts_x_1", "unstruct_event_x_1_0_0")
    assert AT_MS == event(**dict.fromkeys(columns, cell)).at_ms


def test_no_address_of_the_network() -> None:
    """The IP address of a person is in no field of the event."""
    assert "192.0.2.7" not in str(event(user_ipaddress="192.0.2.7"))


def test_real_events() -> None:
    """Every row of a real export is read, and its order is an order."""
    path = Path(__file__).parent / "real" / "snowplow_shop.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as table:
        found = [read_record(json.dumps(row).encode()) for row in csv.DictReader(table)]
    events = [one for one in found if isinstance(one, Event)]
    assert len(found) == len(events) == 424
    orders = [one for one in events if one.name == "transaction"]
    assert 15 == len(orders)
    assert all(one.properties["order_id"] and one.properties["products"] for one in orders)
