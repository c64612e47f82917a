"""PostHog: who a `distinct_id` is, when an event happened, and the bodies that libraries post."""

import gzip
import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from streams.core.ingest.event import MAX_RECORD_BYTES, Event, Items, Reason, Rejection
from streams.core.ingest.formats.posthog import MAX_TRANSIT_MS
from tests.core.ingest.examples import read
from tests.core.ingest.formats.verdicts import moment_of
from tests.reading import NEVER_MS, READER, read_record

AT = "2025-03-10T09:46:45.123Z"
AT_MS = 1_741_600_005_123
EVENT: dict[str, Any] = {"api_key": "phc_x", "event": "Product Added", "distinct_id": "4711", "timestamp": AT}


def event(properties: dict[str, Any] | None = None, **changes: Any) -> Event:
    """Reads an event with these properties, and some fields changed."""
    found = read(json.dumps(EVENT | {"properties": properties or {}} | changes).encode())
    assert isinstance(found, Event), found
    return found


def minted(at_ms: int) -> str:
    """An id of version 7 that was made at this time."""
    return str(UUID(int=(at_ms << 80) | (7 << 76) | (2 << 62) | 1))


def kafka(inner: dict[str, Any], **around: Any) -> Event:
    """Reads a record of PostHog's own topic."""
    found = read(
        json.dumps({"token": "phc_x", "distinct_id": "4711", "data": json.dumps(inner)} | around).encode()
    )
    assert isinstance(found, Event), found
    return found


@pytest.mark.parametrize(
    ("properties", "user", "device"),
    [
        ({}, "4711", None),
        ({"$device_id": "d-1"}, "4711", "d-1"),
        ({"$device_id": "4711"}, None, "4711"),
        ({"$is_identified": True, "$device_id": "d-1"}, "4711", "d-1"),
        ({"$is_identified": False}, None, "4711"),
        ({"$is_identified": False, "$device_id": "d-1"}, None, "d-1"),
        ({"$user_id": "7", "$device_id": "d-1"}, "7", "d-1"),
        ({"$process_person_profile": False}, None, "4711"),
    ],
)
def test_who(properties: dict[str, Any], user: str | None, device: str | None) -> None:
    """A `distinct_id` is a device's until its person has signed in, then a user's."""
    found = event(properties)
    assert (user, device) == (found.user_id, found.anonymous_id)


def test_a_distinct_id_among_the_properties() -> None:
    """Libraries write it at the top or among the properties, as text or as a number."""
    assert "u:5" == event({"distinct_id": 5}, distinct_id=None).profile


@pytest.mark.parametrize(
    "word", ["null", "undefined", "None", "0", "NaN", "[object Object]", "$posthog_cookieless"]
)
def test_words_that_are_nobody(word: str) -> None:
    """Words that stand for no id are nobody; the device beside them counts."""
    found = read(json.dumps(EVENT | {"distinct_id": word}).encode())
    assert isinstance(found, Rejection)
    assert Reason.MISSING_PERSON == found.reason
    assert "d:d-1" == event({"$device_id": "d-1"}, distinct_id=word).profile


def test_signing_in() -> None:
    """`$identify` names the user and, in `$anon_distinct_id`, the device."""
    found = event({"$anon_distinct_id": "d-1", "$is_identified": False}, event="$identify")
    assert ("identify", "4711", "d-1") == (found.type, found.user_id, found.anonymous_id)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("$create_alias", "alias"), ("$merge_dangerously", "alias"), ("$groupidentify", "group"),
        ("$set", "identify"), ("$pageview", "page"), ("$screen", "screen"), ("$autocapture", "track"),
    ],
)  # fmt: skip
def test_types(name: str, kind: str) -> None:
    """Each of the tool's own events is the call that it is."""
    assert kind == event(event=name).type


@pytest.mark.parametrize(
    "name",
    ["$set", "$groupidentify", "$feature_flag_called", "$web_vitals", "$exception", "$snapshot", "$opt_in",
     "$identify", "$create_alias", "$pageleave"],
)  # fmt: skip
def test_what_is_no_behaviour(name: str) -> None:
    """Telemetry moves no journey, though it happens on a page that would; a click there does."""
    properties = {"$current_url": "https://shop.example/cart"}
    assert "none" == moment_of(event(properties, event=name))
    assert "buy" == moment_of(event(properties, event="$autocapture"))


def test_the_record_of_the_topic() -> None:
    """The event is JSON text in `data`; what it does not say itself stands around it."""
    found = kafka({"event": "Product Added", "timestamp": AT, "properties": {"$x": 1}}, uuid=minted(AT_MS))
    assert (minted(AT_MS), "4711", AT_MS) == (found.id, found.user_id, found.at_ms)
    assert "$x" in found.properties


def test_so_long_before_its_arrival() -> None:
    """Without a time, `offset` says how many milliseconds before `now` the event happened."""
    found = kafka({"event": "$set", "offset": 3026}, now="2025-03-10T09:46:48.149+00:00")
    assert AT_MS == found.at_ms
    late = "2025-03-10T10:46:48.149Z"
    assert (
        AT_MS
        == kafka({"event": "$set", "offset": 3026, "timestamp": late}, now=late[:11] + "09:46:48.149Z").at_ms
    )


@pytest.mark.parametrize(
    ("sent_at", "now", "moved_ms"),
    [
        ("2025-03-10T09:46:46Z", "2025-03-10T09:46:46Z", 0),
        ("2025-03-10T09:46:46Z", "2025-03-10T09:47:18Z", 0),  # it took 32 s: the clock is right
        ("2025-03-10T09:46:46Z", "2025-03-10T09:51:46Z", 300_000),  # behind by five minutes
        ("2025-03-10T09:46:46Z", "2025-03-10T08:46:46Z", -3_600_000),  # ahead by an hour
    ],
)
def test_a_slow_request_is_no_wrong_clock(sent_at: str, now: str, moved_ms: int) -> None:
    """What the request took is not added to the event's time; a clock that is minutes off is corrected."""
    assert AT_MS + moved_ms == event(sent_at=sent_at, now=now).at_ms


def test_a_sender_that_asks_for_no_correction() -> None:
    """`$ignore_sent_at` says that the times are no device's."""
    found = event({"$ignore_sent_at": True}, sent_at="2025-03-10T09:46:46Z", now="2025-03-10T09:51:46Z")
    assert AT_MS == found.at_ms


@pytest.mark.parametrize(
    ("later_ms", "expected_ms"), [(32_000, 0), (MAX_TRANSIT_MS, MAX_TRANSIT_MS), (-5, -5)]
)
def test_an_export_with_the_time_of_the_request(later_ms: int, expected_ms: int) -> None:
    """In an export the time has the request's time in it; the id says when the event was captured."""
    stored = AT_MS + later_ms
    text = f"2025-03-10 09:{46 + (45_123 + later_ms) // 60_000}:{(45_123 + later_ms) % 60_000 / 1000:06.3f}"
    found = event(uuid=minted(AT_MS), timestamp=text, team_id=1, created_at="2025-03-11 00:00:00")
    assert AT_MS + expected_ms == found.at_ms, stored


def test_exported_twice() -> None:
    """A backfill gives rows another `inserted_at`: the event is the same."""
    rows = [
        event(timestamp="2025-03-10 09:46:45", inserted_at=at, team_id=1)
        for at in ("2025-03-10", "2025-04-01")
    ]
    assert rows[0].id == rows[1].id


def test_times_without_offset_are_utc() -> None:
    """A time without an offset is UTC, whatever the person's zone."""
    assert AT_MS == event({"$timezone": "America/Bogota"}, timestamp="2025-03-10 09:46:45.123").at_ms


@pytest.mark.parametrize(("west", "quarters"), [(300, -20), (-60, 4), (0, 0), (10**9, -20), ("x", -20)])
def test_local_time(west: Any, quarters: int) -> None:
    """`$timezone_offset` counts minutes to the west; without one `$timezone` tells."""
    found = event({"$timezone": "America/Bogota", "$timezone_offset": west})
    assert quarters == found.utc_offset_quarters


@pytest.mark.parametrize(
    "uuid", ["", "x", "0195818d", 7, None, "0195818d-0000-4000-8000-000000000001", "g" * 32]
)
def test_ids_that_tell_no_time(uuid: Any) -> None:
    """Only an id of version 7 says when it was made."""
    found = READER.read(json.dumps(EVENT | {"timestamp": None, "uuid": uuid}).encode(), (), -1, NEVER_MS)
    assert isinstance(found, Rejection)
    assert Reason.MISSING_TIME == found.reason


def test_without_any_time() -> None:
    """Then it happens when it arrives, as in the tool."""
    found = READER.read(json.dumps(EVENT | {"timestamp": None}).encode(), (), AT_MS, NEVER_MS)
    assert isinstance(found, Event)
    assert AT_MS == found.at_ms


BATCH = json.dumps({"api_key": "phc_x", "batch": [EVENT | {"uuid": minted(n)} for n in range(3)]}).encode()
BODIES = {
    "plain": BATCH,
    "gzip": gzip.compress(BATCH, mtime=0),
    "base64": b64encode(BATCH),
    "a form": b"data=" + quote(BATCH).encode() + b"&compression=plain",
    "a form of base64": b"compression=base64&data=" + quote(b64encode(BATCH)).encode(),
    "a form of base64, its plus signs bare": b"data=" + b64encode(BATCH).replace(b"=", b"%3D"),
    "an array": json.dumps(json.loads(BATCH)["batch"]).encode(),
}


@pytest.mark.parametrize("form", BODIES)
def test_bodies(form: str) -> None:
    """A body holds three events, in whatever form a library posts it, and each is read again alike."""
    found = read_record(BODIES[form])
    assert isinstance(found, Items), found
    assert [minted(0), minted(1), minted(2)] == [
        item.outcome.id for item in found.items if isinstance(item.outcome, Event)
    ]
    assert all(read_record(item.value) == item.outcome for item in found.items)


def test_an_empty_batch() -> None:
    """A batch without events holds none."""
    assert Items(()) == read_record(b'{"api_key": "phc_x", "batch": []}')


def test_a_batch_with_one_bad_event() -> None:
    """It takes no other with it."""
    found = read_record(json.dumps({"token": "phc_x", "batch": [EVENT, 7, {}, EVENT]}).encode())
    assert isinstance(found, Items)
    assert [Event, Rejection, Rejection, Event] == [type(item.outcome) for item in found.items]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (gzip.compress(BATCH, mtime=0)[:-9], Reason.UNDECODABLE),
        (gzip.compress(BATCH, mtime=0)[:4] + b"x" * 9, Reason.UNDECODABLE),
        (gzip.compress(b"a" * (MAX_RECORD_BYTES + 1), mtime=0), Reason.TOO_LARGE),
        (gzip.compress(b"\x00\x01", mtime=0), Reason.BINARY),
        (b"data=%7B", Reason.UNKNOWN_FORMAT),
        (b"data=" + b"a=1&" * 40, Reason.UNKNOWN_FORMAT),
        (b"eyJhbGciOiJIUzI1NiJ9", Reason.UNKNOWN_FORMAT),  # JSON, but no event
        (b"eyJub3QganNvbg", Reason.UNKNOWN_FORMAT),
    ],
)
def test_bodies_that_hold_nothing(value: bytes, reason: Reason) -> None:
    """A body that is damaged, too large, or of something else is refused with a reason."""
    found = read_record(value)
    if isinstance(found, Items):
        ((_, found),) = found.items
    assert isinstance(found, Rejection)
    assert reason == found.reason


def test_bytes_that_are_no_text_in_a_batch() -> None:
    """They hide nobody's id: an event with them there is refused, and the one beside it is read."""
    value = json.dumps({"api_key": "phc_x", "batch": [EVENT | {"distinct_id": "~"}, EVENT]}).encode()
    found = read_record(value.replace(b"~", b"\xff"))
    assert isinstance(found, Items)
    assert [Rejection, Event] == [type(item.outcome) for item in found.items]
