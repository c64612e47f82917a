"""Segment records: the reader accepts some and refuses others, with a reason."""

from typing import Any

import pytest

from streams.core.ingest.event import (
    MAX_EVENT_NAME_CHARS,
    MAX_RECORD_BYTES,
    OTHER_CALLS,
    Event,
    Reason,
    Rejection,
    lookup,
)
from streams.core.ingest.ids import MAX_ID_CHARS
from streams.core.ingest.nesting import MAX_DEPTH
from streams.core.ingest.repairs import Repair
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS
from tests.core.ingest.examples import ABSENT, event, read, record, rejection
from tests.reading import read_record

AT_MS, AT = 1_716_200_000_123, "2024-05-20T10:13:20.123Z"  # of EVENT


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


@pytest.mark.parametrize("sent", [7, -5, 12345678901234567890])
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
    assert read(record()) == read(record(traits={"a": [1, 2]}, integrations=[], version=2.5))


REFUSED = [
    (None, Reason.UNDECODABLE),
    (b"", Reason.UNDECODABLE),
    (b"{", Reason.UNDECODABLE),
    (b"\xff\xfe", Reason.UNDECODABLE),
    (record()[:-5], Reason.UNDECODABLE),
    (record() + b"x", Reason.UNDECODABLE),
    (record(event="?").replace(b"?", b"\xff"), Reason.UNDECODABLE),
    (b"[" * 100_000, Reason.UNDECODABLE),
    (b'{"a":' * 100_000, Reason.UNDECODABLE),
    (record(deep="?").replace(b'"?"', b"[" * 65 + b"]" * 65), Reason.UNDECODABLE),
    (b'"text"', Reason.UNDECODABLE),
    (b"{}", Reason.UNKNOWN_FORMAT),
    (b'{"a": 1}', Reason.UNKNOWN_FORMAT),
    (b"\x00\x01\x02", Reason.BINARY),
    (b"some text", Reason.UNDECODABLE),
    (b"17", Reason.WRONG_TYPE),
    (b"null", Reason.WRONG_TYPE),
    (record(userId=True, anonymousId=ABSENT), Reason.WRONG_TYPE),
    (record(userId=1.5, anonymousId=ABSENT), Reason.WRONG_TYPE),
    (record(userId=None, anonymousId={}), Reason.WRONG_TYPE),
    (record(timestamp=True), Reason.WRONG_TYPE),
    (record(timestamp=["2024-05-20T10:13:20Z"]), Reason.WRONG_TYPE),
    (record(timestamp=17), Reason.BAD_TIME),
    (record(event=3), Reason.WRONG_TYPE),
    (record(timestamp=ABSENT, originalTimestamp=3), Reason.BAD_TIME),
    (record(type=ABSENT, event=ABSENT), Reason.UNKNOWN_TYPE),
    (record(type="dance", event=None), Reason.UNKNOWN_TYPE),
    (record(userId="undefined", anonymousId=" NULL "), Reason.MISSING_PERSON),
    (record(userId="undefined", anonymousId="a\x00b"), Reason.BAD_ID),
    (record(userId=None, anonymousId=None), Reason.MISSING_PERSON),
    (record(userId="", anonymousId=ABSENT), Reason.MISSING_PERSON),
    (record(userId="a\nb", anonymousId=ABSENT), Reason.BAD_ID),
    (record(userId="a\x85b", anonymousId=ABSENT), Reason.BAD_ID),
    (record(userId="", anonymousId="\ud800"), Reason.BAD_ID),
    (record(userId="x" * (MAX_ID_CHARS + 1), anonymousId=ABSENT), Reason.BAD_ID),
    (record(userId=10**300, anonymousId=ABSENT), Reason.BAD_ID),
    (record(timestamp=ABSENT), Reason.MISSING_TIME),
    (record(timestamp=""), Reason.MISSING_TIME),
    (record(timestamp="yesterday"), Reason.BAD_TIME),
    (record(timestamp="2000-01-01T00:00:00+00:15"), Reason.BAD_TIME),
    (record(timestamp="1999-12-31T23:59:59.999Z"), Reason.BAD_TIME),
    (record(timestamp="2200-01-01T00:00:00Z"), Reason.BAD_TIME),
    (record(timestamp="2024-05-20T10:13:20.12\ud8003Z"), Reason.BAD_TIME),
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


REPAIRED: list[tuple[dict[str, Any], Repair, dict[str, Any]]] = [
    ({"type": "Track"}, Repair.TYPE, {"type": "track"}),
    ({"type": " TRACK "}, Repair.TYPE, {"type": "track"}),
    ({"type": ABSENT}, Repair.TYPE, {"type": "track"}),
    ({"type": ["track"]}, Repair.TYPE, {"type": "track"}),
    ({"type": "purchase"}, Repair.TYPE, {"type": "track"}),
    ({"properties": []}, Repair.EMPTY_LIST, {"properties": {}}),
    ({"context": []}, Repair.EMPTY_LIST, {"context": {}}),
    ({"properties": [1]}, Repair.FIELD, {"properties": {}}),
    ({"context": 1}, Repair.FIELD, {"context": {}}),
    ({"properties": '{"a": 1}'}, Repair.FIELD, {"properties": {"a": 1}}),
    ({"channel": 3}, Repair.FIELD, {"channel": None}),
    ({"event": "a\ud83d"}, Repair.ENCODING, {"name": "a\ufffd"}),
    ({"properties": {"\udc00": "\udc00"}}, Repair.ENCODING, {"properties": {"\ufffd": "\ufffd"}}),
    ({"properties": {"q": float("nan")}}, Repair.NUMBER, {"properties": {"q": None}}),
    ({"properties": {"q": [float("-inf")]}}, Repair.NUMBER, {"properties": {"q": [None]}}),
    ({"userId": True}, Repair.ID, {"user_id": None, "anonymous_id": "device-1"}),
    ({"userId": 1.5}, Repair.ID, {"user_id": None}),
    ({"userId": 4711.0}, Repair.ID, {"user_id": "4711"}),
    ({"userId": "x" * (MAX_ID_CHARS + 1)}, Repair.ID, {"user_id": None}),
    ({"userId": "\ud800"}, Repair.ID, {"user_id": None}),
    ({"anonymousId": {}}, Repair.ID, {"user_id": "user-1", "anonymous_id": None}),
    ({"userId": "undefined"}, Repair.PLACEHOLDER, {"user_id": None}),
    ({"userId": " NULL "}, Repair.PLACEHOLDER, {"user_id": None}),
    ({"userId": 0}, Repair.PLACEHOLDER, {"user_id": None}),
    ({"anonymousId": "00000000-0000-0000-0000-000000000000"}, Repair.PLACEHOLDER, {"anonymous_id": None}),
    ({"properties": {"order_id": "(not set)", "a": 1}}, Repair.PLACEHOLDER, {"properties": {"a": 1}}),
    ({"timestamp": AT_MS}, Repair.TIME_FORM, {"at_ms": AT_MS}),
    ({"timestamp": str(AT_MS)}, Repair.TIME_FORM, {"at_ms": AT_MS}),
    ({"timestamp": "2024-05-20T10:13:20,123Z"}, Repair.TIME_FORM, {"at_ms": AT_MS}),
    (
        {"timestamp": "yesterday", "originalTimestamp": AT},
        Repair.TIME,
        {"at_ms": AT_MS},
    ),
    ({"timestamp": "yesterday", "receivedAt": AT}, Repair.TIME, {"at_ms": AT_MS}),
    ({"receivedAt": "Invalid Date"}, Repair.TIME, {"at_ms": AT_MS}),
    (
        {"timestamp": "2024-06-20T00:00:00Z", "sentAt": AT},
        Repair.CLOCK,
        {"at_ms": AT_MS},
    ),
]


@pytest.mark.parametrize(("changes", "repair", "expected"), REPAIRED)
def test_repairs(changes: dict[str, Any], repair: Repair, expected: dict[str, Any]) -> None:
    """What is wrong without being needed costs no event: it is repaired, and noted by its kind."""
    found = event(**changes)
    assert repair in found.repairs
    assert expected == {name: getattr(found, name) for name in expected}


def test_an_event_without_an_id() -> None:
    """Its id is a fingerprint, the same each time it is sent; another event has another."""
    first = event(messageId=ABSENT, sentAt="2024-05-20T10:13:21Z")
    assert (
        first.id == event(messageId="", sentAt="2024-05-20T10:13:55Z", receivedAt="2024-05-20T10:13:56Z").id
    )
    assert len(first.id) == 32
    assert first.id != event(messageId=ABSENT, event="Product Added").id
    assert first.repairs == ()
    assert (Repair.PLACEHOLDER,) == event(messageId="undefined").repairs


@pytest.mark.parametrize("call", OTHER_CALLS)
def test_calls_that_show_no_intent(call: str) -> None:
    """Legal calls are events without a name, whatever they hold."""
    assert (call, "") == (event(type=call, event=5).type, event(type=call).name)


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
        ({"receivedAt": "2024-05-20T09:00:00Z"}, -3600),
        ({"sentAt": "2024-05-20T09:00:00Z"}, -3600),
        ({"sentAt": "2024-05-20T10:00:07Z", "receivedAt": "2024-05-20T10:10:07Z"}, 600),
        ({"sentAt": "2024-05-20T10:00:07Z", "receivedAt": "2024-05-20T10:10:07.001Z"}, 0),
        ({"sentAt": "2024-05-20T13:00:00+03:00", "receivedAt": "2024-05-20T09:00:00Z"}, -3600),
    ],
)
def test_a_device_clock_is_put_right(clocks: dict[str, str], at_s: int) -> None:
    """Without a timestamp the device's own time counts.

    It is moved by how far the device's clock was off when it sent the record.
    """
    assert 1_716_199_200_000 + at_s * 1000 == event(**CLOCKS, **clocks).at_ms


def test_device_clocks_that_say_nothing() -> None:
    """A correction that cannot be computed is none; an event without any time that can be read is refused."""
    found = event(**CLOCKS, sentAt="x", receivedAt="x")
    assert (1_716_199_200_000, (Repair.TIME,)) == (found.at_ms, found.repairs)
    assert Reason.BAD_TIME == rejection(record(**(CLOCKS | {"originalTimestamp": "x"}))).reason


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
    found = read_record(record(), headers, AT_MS)
    assert isinstance(found, Rejection)
    assert reason == found.reason
    assert detail in (None, found.detail)


def test_other_headers_do_not_matter() -> None:
    """Headers of tracing and the like are ignored."""
    assert isinstance(read_record(record(), (("traceparent", b"00-1"),), AT_MS), Event)


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
