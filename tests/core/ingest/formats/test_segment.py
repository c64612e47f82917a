"""Segment records: the reader accepts some and refuses others, with a reason."""

from typing import Any

import pytest

from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, MAX_RECORD_BYTES, Event, Reason, Rejection, lookup
from streams.core.ingest.formats import segment
from streams.core.ingest.ids import MAX_ID_CHARS
from streams.core.ingest.nesting import MAX_DEPTH
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS
from tests.core.ingest.examples import ABSENT, event, read, record, rejection

AT_MS = 1_716_200_000_123  # of EVENT


def test_a_full_track() -> None:
    """Every field of the contract arrives in the event."""
    assert Event(
        "m-1",
        AT_MS,
        0,
        "device-1",
        "user-1",
        "track",
        "Product Viewed",
        {"product_id": "p-9", "price": 18.99},
        {"page": {"path": "/p/9"}},
        "web",
    ) == read(record())


@pytest.mark.parametrize(
    "field", ["userId", "event", "name", "properties", "context", "channel", "originalTimestamp", "sentAt"]
)
def test_null_is_absent(field: str) -> None:
    """A null is read like a missing field."""
    assert event(**{field: ABSENT}) == event(**{field: None})


def test_null_bags_are_empty() -> None:
    """Properties and context are always there, so rules need not ask."""
    found = event(properties=None, context=None)
    assert ({}, {}) == (found.properties, found.context)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"type": "track", "event": "Bought", "name": "x"}, "Bought"),
        ({"type": "page", "event": "x", "name": "Home"}, "Home"),
        ({"type": "screen", "name": "Cart"}, "Cart"),
        ({"type": "identify", "event": None}, ""),
        ({"type": "track", "event": "e" * 1000}, "e" * MAX_EVENT_NAME_CHARS),
    ],
)
def test_names(changes: dict[str, Any], name: str) -> None:
    """A track is named by its event, a page or screen by its name; long names are cut."""
    assert name == event(**changes).name


@pytest.mark.parametrize("sent", [7, 0, -5, 12345678901234567890])
def test_ids_that_are_whole_numbers(sent: int) -> None:
    """A whole number is an id: its digits."""
    found = event(messageId=sent, userId=sent, anonymousId=sent)
    assert (str(sent),) * 3 == (found.id, found.user_id, found.anonymous_id)


def test_empty_person_ids_are_absent() -> None:
    """An empty userId, which collectors write for somebody who is not signed in, leaves the device."""
    assert "d:device-1" == event(userId="").profile
    assert "u:user-1" == event(anonymousId="").profile


def test_unknown_fields_are_no_errors() -> None:
    """Other fields are skipped, whatever they hold."""
    assert read(record()) == read(record(traits={"a": [1, 2]}, integrations=[], version=2.5, receivedAt=17))


REFUSED = [
    (None, Reason.UNDECODABLE),
    (b"", Reason.UNDECODABLE),
    (b"{", Reason.UNDECODABLE),
    (b"\xff\xfe", Reason.UNDECODABLE),
    (record()[:-5], Reason.UNDECODABLE),
    (record() + b"x", Reason.UNDECODABLE),
    (record(event="?").replace(b"?", b"\xff"), Reason.UNDECODABLE),
    (record(event="?").replace(b"?", b"\x00"), Reason.UNDECODABLE),
    (record(event="\ud83d"), Reason.UNDECODABLE),
    (record(properties={"q": "\udc00"}), Reason.UNDECODABLE),
    (record(properties={"q": float("nan")}), Reason.UNDECODABLE),
    (record(properties={"q": float("inf")}), Reason.UNDECODABLE),
    (b"[" * 100_000, Reason.UNDECODABLE),
    (b'{"a":' * 100_000, Reason.UNDECODABLE),
    (record(deep="?").replace(b'"?"', b"[" * 65 + b"]" * 65), Reason.UNDECODABLE),
    (b"[]", Reason.WRONG_TYPE),
    (b'"text"', Reason.WRONG_TYPE),
    (b"17", Reason.WRONG_TYPE),
    (b"null", Reason.WRONG_TYPE),
    (record(properties=[]), Reason.WRONG_TYPE),
    (record(properties="{}"), Reason.WRONG_TYPE),
    (record(context=1), Reason.WRONG_TYPE),
    (record(type=["track"]), Reason.WRONG_TYPE),
    (record(userId=True), Reason.WRONG_TYPE),
    (record(userId=1.5), Reason.WRONG_TYPE),
    (record(userId=1.0), Reason.WRONG_TYPE),
    (record(anonymousId={}), Reason.WRONG_TYPE),
    (record(messageId=[]), Reason.WRONG_TYPE),
    (record(timestamp=AT_MS), Reason.WRONG_TYPE),
    (record(event=3), Reason.WRONG_TYPE),
    (record(channel=3), Reason.WRONG_TYPE),
    (record(timestamp=ABSENT, originalTimestamp=3), Reason.WRONG_TYPE),
    (record(properties={"n": 0}).replace(b"0}", b"1e999}"), Reason.WRONG_TYPE),
    (record(properties={"n": 0}).replace(b"0}", b"9" * 5000 + b"}"), Reason.UNDECODABLE),
    (record(type=ABSENT), Reason.UNKNOWN_TYPE),
    (record(type=None), Reason.UNKNOWN_TYPE),
    (record(type="Track"), Reason.UNKNOWN_TYPE),
    (record(type="alias"), Reason.UNKNOWN_TYPE),
    (record(type="group", event=5), Reason.UNKNOWN_TYPE),
    (record(messageId=ABSENT), Reason.MISSING_ID),
    (record(messageId=""), Reason.MISSING_ID),
    (record(userId=None, anonymousId=None), Reason.MISSING_PERSON),
    (record(userId="", anonymousId=ABSENT), Reason.MISSING_PERSON),
    (record(messageId="a\x00b"), Reason.BAD_ID),
    (record(userId="a\nb"), Reason.BAD_ID),
    (record(userId="a\x85b"), Reason.BAD_ID),
    (record(anonymousId="\ud800"), Reason.BAD_ID),
    (record(userId="  "), Reason.BAD_ID),
    (record(userId="x" * (MAX_ID_CHARS + 1)), Reason.BAD_ID),
    (record(userId=10**300), Reason.BAD_ID),
    (record(timestamp=ABSENT), Reason.MISSING_TIME),
    (record(timestamp=""), Reason.MISSING_TIME),
    (record(timestamp="yesterday"), Reason.BAD_TIME),
    (record(timestamp="2000-01-01T00:00:00+00:15"), Reason.BAD_TIME),
    (record(timestamp="1999-12-31T23:59:59.999Z"), Reason.BAD_TIME),
    (record(timestamp="2200-01-01T00:00:00Z"), Reason.BAD_TIME),
    (record(timestamp="2024-05-20T10:13:20.12\ud8003Z"), Reason.UNDECODABLE),
    (record(event="x" * MAX_RECORD_BYTES), Reason.TOO_LARGE),
]


@pytest.mark.parametrize(("value", "reason"), REFUSED)
def test_refusals(value: bytes | None, reason: Reason) -> None:
    """Each bad record has its reason, with a detail that can be printed and encoded."""
    found = rejection(value)
    assert reason == found.reason, found
    assert 0 < len(found.detail) <= 200
    assert found.detail.isprintable()
    found.detail.encode()


def test_all_ids_of_full_length() -> None:
    """The bound itself is accepted, and so are spaces and letters of all scripts."""
    assert "é" * MAX_ID_CHARS == event(userId="é" * MAX_ID_CHARS).user_id
    assert "Ann Lee\u00a0\U0001f600" == event(userId="Ann Lee\u00a0\U0001f600").user_id


def test_the_depth_bound() -> None:
    """MAX_DEPTH deep is accepted; brackets in strings and side by side do not count."""
    inner = b"[" * (MAX_DEPTH - 2) + b"]" * (MAX_DEPTH - 2)
    deep = record(properties={"a": "?"}).replace(b'"?"', inner)
    assert isinstance(read(deep), Event)
    assert Reason.UNDECODABLE == rejection(deep.replace(inner, b"[" + inner + b"]")).reason
    assert isinstance(read(record(properties={"a": '\\"' + "[{" * 500, "b": [[]] * 500})), Event)


def test_a_megabyte_in_one_field() -> None:
    """A record may be as large as the bound."""
    room = MAX_RECORD_BYTES - len(record(properties={"a": ""}))
    assert isinstance(read(record(properties={"a": "x" * room})), Event)
    assert Reason.TOO_LARGE == rejection(record(properties={"a": "x" * (room + 1)})).reason


def test_the_future() -> None:
    """The limit itself is accepted, a millisecond later is not."""
    assert isinstance(read(record(), AT_MS), Event)
    assert Reason.FROM_THE_FUTURE == rejection(record(), AT_MS - 1).reason


def test_the_first_and_last_accepted_time() -> None:
    """The bounds are the first millisecond of 2000 and the last of 2199."""
    assert EARLIEST_MS == event(timestamp="2000-01-01T00:00:00Z").at_ms
    assert LATEST_MS - 1 == event(timestamp="2199-12-31T23:59:59.999Z").at_ms


CLOCKS = {"timestamp": ABSENT, "originalTimestamp": "2024-05-20T10:00:00Z"}


@pytest.mark.parametrize(
    ("clocks", "at_s"),
    [
        ({}, 0),
        ({"sentAt": "2024-05-20T10:00:07Z"}, 0),
        ({"receivedAt": "2024-05-20T10:00:07Z"}, 0),
        ({"sentAt": "2024-05-20T10:00:07Z", "receivedAt": "2024-05-20T11:00:08Z"}, 3601),
        ({"sentAt": "2024-05-20T13:00:00+03:00", "receivedAt": "2024-05-20T09:00:00Z"}, -3600),
    ],
)
def test_a_device_clock_is_put_right(clocks: dict[str, str], at_s: int) -> None:
    """Without a timestamp the device's own time counts.

    It is moved by how far the device's clock was off when it sent the record.
    """
    assert 1_716_199_200_000 + at_s * 1000 == event(**CLOCKS, **clocks).at_ms


@pytest.mark.parametrize("clocks", [{"originalTimestamp": "x"}, {"sentAt": "x", "receivedAt": "x"}])
def test_device_clocks_that_say_nothing(clocks: dict[str, str]) -> None:
    """A correction that cannot be computed is a bad time, not a silent guess."""
    assert Reason.BAD_TIME == rejection(record(**(CLOCKS | clocks))).reason


@pytest.mark.parametrize(
    ("changes", "offset"),
    [
        ({}, 0),
        ({"timestamp": "2024-05-20T10:13:20+05:45"}, 23),
        ({"timestamp": "2024-05-20T10:13:20-03:30", "context": {"timezone": "Europe/Rome"}}, -14),
        ({"context": {"timezone": "Europe/Rome"}}, 8),
        ({"timestamp": "2024-01-20T10:13:20Z", "context": {"timezone": "Europe/Rome"}}, 4),
        ({"context": {"timezone": "Asia/Kathmandu"}}, 23),
        ({"context": {"timezone": "America/St_Johns"}}, -10),
        ({"context": {"timezone": "Nowhere/Land"}}, 0),
        ({"context": {"timezone": "../../../etc/passwd"}}, 0),
        ({"context": {"timezone": "Europe"}}, 0),
        ({"context": {"timezone": "a\x00b"}}, 0),
        ({"context": {"timezone": "x" * 100_000}}, 0),
        ({"context": {"timezone": 5}}, 0),
    ],
)
def test_local_time(changes: dict[str, Any], offset: int) -> None:
    """The timestamp's own UTC offset counts.

    If it has none, the offset at that instant of the zone that the context names counts.
    """
    assert offset == event(**changes).utc_offset_quarters


@pytest.mark.parametrize(
    ("headers", "reason", "detail"),
    [
        ((("unreadable", b"bad_row:expected 3 fields"),), Reason.BAD_ROW, "expected 3 fields"),
        ((("x", b"y"), ("unreadable", b"too_large:")), Reason.TOO_LARGE, ""),
        ((("unreadable", b"nonsense:z"),), Reason.UNDECODABLE, "unreadable header: nonsense:z"),
        ((("unreadable", b"\xff" * 9999),), Reason.UNDECODABLE, None),
        ((("unreadable", None),), Reason.UNDECODABLE, None),
    ],
)
def test_records_marked_unreadable(
    headers: tuple[tuple[str, bytes | None], ...], reason: Reason, detail: str | None
) -> None:
    """A record that a reader of files marked as unreadable becomes the rejection in its header.

    Its bytes do not matter.
    """
    found = segment.read(record(), headers, AT_MS)
    assert isinstance(found, Rejection)
    assert reason == found.reason
    assert detail in (None, found.detail)


def test_other_headers_do_not_matter() -> None:
    """Headers of tracing and the like are ignored."""
    assert isinstance(segment.read(record(), (("traceparent", b"00-1"),), AT_MS), Event)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "Product Viewed"),
        ("channel", "web"),
        ("properties.price", 18.99),
        ("context.page.path", "/p/9"),
        ("context.page.path.more", None),
        ("properties.products.sku", ["a", None, None]),
        ("properties.nothing", None),
        ("nothing", None),
        ("__class__.__name__", None),
        ("profile", None),
        ("", None),
    ],
)
def test_lookup(path: str, value: object) -> None:
    """A dotted path finds what the event holds, through lists too, and nothing else."""
    found = event(properties={"price": 18.99, "products": [{"sku": "a"}, {}, 3]})
    assert value == lookup(found, path)
