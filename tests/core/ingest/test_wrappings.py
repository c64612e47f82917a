"""Any format may stand in any wrapping: the events are the same, but for an id and a time that they lack."""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.core.ingest.door import InputDoor, door_of
from streams.core.ingest.event import MAX_RECORD_BYTES, Event, Items, Reason, Rejection
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.wrappings import MAX_LAYERS
from tests.core.ingest.formats.goldens import GOLDEN, Golden, goldens
from tests.reading import NEVER_MS, read_record

Headers = tuple[tuple[str, bytes | None], ...]
Outcome = Event | Rejection | Items

CLOUD: dict[str, Any] = {"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "track"}
BINARY_MODE: Headers = (("ce_specversion", b"1.0"), ("ce_id", b"A-1"), ("ce_source", b"/shop"))
ROW = {
    "before": None,
    "op": "c",
    "ts_ms": 1716199201000,
    "source": {"table": "events", "ts_ms": 1716199200500},
}


def dumped(document: Any) -> bytes:
    """The JSON of a document."""
    return json.dumps(document).encode()


WRAPPINGS: dict[str, Callable[[Any], bytes]] = {
    "an array": lambda record: dumped([record]),
    "an array of arrays": lambda record: dumped([[record]]),
    "JSON text": lambda record: dumped(dumped(record).decode()),
    "JSON text in JSON text": lambda record: dumped(dumped(dumped(record).decode()).decode()),
    "structured CloudEvents": lambda record: dumped(CLOUD | {"data": record}),
    "a batch of CloudEvents": lambda record: dumped([CLOUD | {"data": record}]),
    "CloudEvents in base64": lambda record: dumped(
        CLOUD | {"data_base64": base64.b64encode(dumped(record)).decode()}
    ),
    "CloudEvents with a text": lambda record: dumped(CLOUD | {"data": dumped(record).decode()}),
    "Kafka Connect": lambda record: dumped({"schema": {"type": "struct"}, "payload": record}),
    "Kafka Connect without a schema": lambda record: dumped({"schema": None, "payload": record}),
    "Kafka Connect with a text": lambda record: dumped({"schema": None, "payload": dumped(record).decode()}),
    "a change by Debezium": lambda record: dumped(ROW | {"after": record}),
    "a change of a document by Debezium": lambda record: dumped(ROW | {"after": dumped(record).decode()}),
    "a change in Kafka Connect": lambda record: dumped(
        {"schema": {"name": "x.Envelope"}, "payload": ROW | {"after": record}}
    ),
    "the frame of a schema registry": lambda record: b"\x00\x00\x00\x01\x02" + dumped(record),
    "gzip": lambda record: gzip.compress(dumped(record)),
    "gzip in a frame": lambda record: gzip.compress(b"\x00\x00\x00\x01\x02" + dumped(record)),
    "a byte order mark": lambda record: b"\xef\xbb\xbf" + dumped(record),
    "UTF-16": lambda record: dumped(record).decode().encode("utf-16"),
    "all at once": lambda record: gzip.compress(
        dumped([CLOUD | {"data": dumped({"schema": None, "payload": ROW | {"after": record}}).decode()}])
    ),
}

ALL = [(path.stem, golden) for path in sorted(GOLDEN.glob("*.jsonl")) for golden in goldens(path.stem)]
SEGMENT = [
    {"type": "track", "messageId": "m", "userId": "u", "event": "x", "timestamp": "2024-05-20T10:00:00Z"},
    {"type": "page", "anonymousId": "d", "name": "Cart", "timestamp": "2024-05-20T10:00:00+02:00"},
    {"batch": [{"type": "track", "userId": "u", "event": "x", "timestamp": "2024-05-20T10:00:00Z"}] * 2},
    {"type": "track", "userId": "u", "event": "x"},
    {"type": "alias", "userId": "u", "previousId": "d"},
    {"type": "track", "messageId": "m", "userId": "u", "event": "x", "timestamp": "yesterday"},
]
RECORDS = [
    *((f"{name}: {golden.about}", golden) for name, golden in ALL),
    *((f"segment {n}", Golden("", record, (), None)) for n, record in enumerate(SEGMENT)),
]


def flat(outcome: Outcome) -> list[Outcome]:
    """All that a record holds: an array of one is no other than that one."""
    if not isinstance(outcome, Items) or not outcome.items:
        return [outcome]
    return [one for item in outcome.items for one in flat(item.outcome)]


def without_envelope(found: Outcome, own: Outcome) -> Outcome:
    """What was found, with the event's own id: in an envelope it may have that of the envelope."""
    if isinstance(found, Event) and isinstance(own, Event) and found.id.startswith("/shop A-1"):
        return replace(found, id=own.id)
    return found


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize(("name", "golden"), RECORDS, ids=[name for name, _ in RECORDS])
def test_the_same_events_in_every_wrapping(name: str, golden: Golden, wrapping: str) -> None:
    """And each item of it, forwarded by itself, is the same again."""
    value = WRAPPINGS[wrapping](golden.record)
    found = read_record(value, golden.headers)
    own = flat(read_record(golden.value, golden.headers))
    inside = flat(found)
    assert own == [without_envelope(one, mine) for one, mine in zip(inside, own, strict=True)]
    _items_are_read_alike(found, golden.headers)


@pytest.mark.parametrize(("name", "golden"), RECORDS, ids=[name for name, _ in RECORDS])
def test_the_same_events_in_binary_mode(name: str, golden: Golden) -> None:
    """A CloudEvent whose attributes are headers."""
    headers = (*golden.headers, *BINARY_MODE)
    found = read_record(golden.value, headers)
    own = flat(read_record(golden.value, golden.headers))
    assert own == [without_envelope(one, mine) for one, mine in zip(flat(found), own, strict=True)]
    _items_are_read_alike(found, headers)


def _items_are_read_alike(found: Outcome, headers: Sequence[tuple[str, bytes | None]]) -> None:
    for item in found.items if isinstance(found, Items) else ():
        assert item.outcome == read_record(item.value, headers)
        _items_are_read_alike(item.outcome, headers)


def event(value: bytes, headers: Headers = ()) -> Event:
    """The event of a record that must be accepted."""
    found = read_record(value, headers)
    assert isinstance(found, Event), found
    return found


NAMELESS = {"type": "track", "userId": "u", "event": "x"}


def test_the_envelope_stands_in_for_an_id_and_a_time() -> None:
    """Source and id name a CloudEvent together. What the event says itself counts first."""
    timed = CLOUD | {"time": "2024-05-20T10:00:00.5Z"}
    found = event(dumped(timed | {"data": NAMELESS}))
    assert ("/shop A-1", 1_716_199_200_500) == (found.id, found.at_ms)
    assert found == event(dumped(NAMELESS), (*BINARY_MODE, ("CE_TIME", b"2024-05-20T10:00:00.5Z")))
    other = event(dumped(timed | {"source": "/till", "data": NAMELESS}))
    assert "/till A-1" == other.id
    own = NAMELESS | {"messageId": "m", "timestamp": "2024-05-20T09:00:00Z"}
    assert event(dumped(own)) == event(dumped(timed | {"data": own}))
    spoilt = event(dumped(timed | {"data": own | {"timestamp": "yesterday"}}))
    assert (1_716_199_200_500, ("time",)) == (spoilt.at_ms, spoilt.repairs)


def test_an_envelope_that_nobody_can_use_as_an_id() -> None:
    """A very long source gives a fingerprint, and without an id the event has one of its own."""
    timed = CLOUD | {"time": "2024-05-20T10:00:00Z", "data": NAMELESS}
    long, other = (event(dumped(timed | {"source": source * 300})) for source in "ab")
    assert 32 == len(long.id) == len(other.id)
    assert long.id != other.id
    without = {key: value for key, value in timed.items() if key != "id"}
    assert 32 == len(event(dumped(without)).id)


@pytest.mark.parametrize("headers", [(), BINARY_MODE])
def test_several_events_in_one_envelope(headers: Headers) -> None:
    """Each has an id of its own, and the time of the envelope."""
    calls = [NAMELESS, NAMELESS | {"userId": "v"}, NAMELESS | {"messageId": "m"}]
    for data in (calls, {"batch": calls}, json.dumps(calls)):
        timed = CLOUD | {"time": "2024-05-20T10:00:00Z", "data": data}
        found = read_record(dumped(timed), headers)
        assert isinstance(found, Items)
        events = [item.outcome for item in found.items if isinstance(item.outcome, Event)]
        assert ["/shop A-1/0", "/shop A-1/1", "m"] == [one.id for one in events]
        assert {1_716_199_200_000} == {one.at_ms for one in events}
        _items_are_read_alike(found, headers)


def test_calls_of_a_batch_in_binary_mode() -> None:
    """They are three events, and not three copies of the one that the headers name."""
    calls = [NAMELESS | {"timestamp": "2024-05-20T10:00:00Z", "userId": who} for who in "uvw"]
    found = read_record(dumped({"batch": calls}), BINARY_MODE)
    assert isinstance(found, Items)
    events = [item.outcome for item in found.items if isinstance(item.outcome, Event)]
    assert ["/shop A-1/0", "/shop A-1/1", "/shop A-1/2"] == [one.id for one in events]
    _items_are_read_alike(found, BINARY_MODE)


@pytest.mark.parametrize(
    "document",
    [
        ROW | {"op": "d", "before": SEGMENT[0], "after": None},
        ROW | {"op": "t"},
        {"schema": None, "payload": ROW | {"op": "d", "before": SEGMENT[0]}},
        {"schema": None, "payload": None},
        {"id": 4, "who": "ann", "__deleted": "true"},
        CLOUD,
        [],
    ],
)
def test_what_holds_no_event(document: Any) -> None:
    """A row that is deleted is nothing that somebody did; nor is an empty array or envelope."""
    assert Items(()) == read_record(dumped(document))


def test_the_time_of_a_change_is_not_that_of_the_event() -> None:
    """Debezium's `ts_ms` is when a row was written."""
    found = read_record(dumped(ROW | {"after": NAMELESS}))
    assert isinstance(found, Rejection)
    assert Reason.MISSING_TIME is found.reason


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"schema": "iglu:x", "payload": 1, "data": {}}, "schema"),
        ({"op": "cart", "after": {}, "source": {}}, "op"),
        ({"specversion": 1, "source": "", "data": {}}, "specversion"),
    ],
)
def test_what_only_looks_like_a_layer(document: dict[str, Any], name: str) -> None:
    """It is no record of a known format, and its own keys say so."""
    found = read_record(dumped(document))
    assert isinstance(found, Rejection)
    assert (Reason.UNKNOWN_FORMAT, True) == (found.reason, name in found.detail)


def test_a_mapping_reads_what_is_inside() -> None:
    """Its paths lead from the record, not from what stands around it."""
    reader = RecordReader(
        door_of(0, {"rows": InputDoor("mapping", {"userId": "who", "timestamp": "at"})}), "rows"
    )
    record = {"who": "ann", "at": 1716199200000000, "item": 7}
    for wrapping in WRAPPINGS.values():
        (found,) = flat(reader.read(wrapping(record), (), -1, NEVER_MS))
        assert isinstance(found, Event)
        assert ("u:ann", 1_716_199_200_000, {"item": 7}) == (found.profile, found.at_ms, found.properties)


def test_layers_have_a_bound() -> None:
    """Beyond it the record is refused, and not looked into any further."""
    document: Any = NAMELESS | {"timestamp": "2024-05-20T10:00:00Z"}
    for _ in range(MAX_LAYERS):
        document = {"schema": None, "payload": document}
    assert isinstance(read_record(dumped(document)), Event)
    assert isinstance(read_record(dumped({"schema": None, "payload": document})), Rejection)


@pytest.mark.parametrize(
    ("data", "reason"),
    [("not base64!", Reason.UNDECODABLE), ("AAAA", Reason.BINARY), ("", Reason.UNDECODABLE)],
)
def test_data_that_cannot_be_read(data: str, reason: Reason) -> None:
    """It is refused as the same bytes would be without the envelope."""
    found = read_record(dumped(CLOUD | {"data_base64": data}))
    assert isinstance(found, Rejection)
    assert reason is found.reason


def test_bad_texts_inside_are_repaired() -> None:
    """Bytes that are not UTF-8 and lone surrogates in an inner text are noted as they are outside."""
    record = dumped(NAMELESS | {"timestamp": "2024-05-20T10:00:00Z", "note": "x"})
    inner = record.replace(b'"note": "x"', b'"note": "\xff"')
    for value in (
        dumped(CLOUD | {"data_base64": base64.b64encode(inner).decode()}),
        dumped([CLOUD | {"data_base64": base64.b64encode(inner).decode()}]),
        gzip.compress(inner),
        dumped(record.replace(b'"note": "x"', b'"note": "\\ud800"').decode()),
    ):
        (found,) = flat(read_record(value))
        assert isinstance(found, Event)
        assert ("encoding",) == found.repairs


def test_large_records_stay_small() -> None:
    """What is decompressed has the bound of a record."""
    found = read_record(gzip.compress(b" " * (MAX_RECORD_BYTES + 1)))
    assert isinstance(found, Rejection)
    assert Reason.TOO_LARGE is found.reason


@given(
    st.binary(max_size=40), st.sampled_from([b"", b"\x1f\x8b", b"\x00\x00\x00\x00\x07", b"\xff\xfe", b"\x08"])
)
def test_any_bytes(value: bytes, start: bytes) -> None:
    """No bytes raise an error."""
    found = read_record(start + value, BINARY_MODE)
    assert isinstance(found, Event | Rejection | Items)
