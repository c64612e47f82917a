"""Any record is read by a mapping: what is mapped is a field of the event, and nothing else is lost."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.door import InputDoor, door_of, read_as
from streams.core.ingest.event import Event, Items, Reason, Rejection
from streams.core.ingest.formats.mapping import mapped_record, mapping_fault
from streams.core.ingest.judging import event_fingerprint
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.repairs import Repair
from tests.reading import NEVER_MS

MAPPING = {"userId": "who.id", "timestamp": "at", "event": "what"}
RECEIPT = {
    "userId": "card",
    "timestamp": "printed",
    "event": "=Order Completed",
    "properties.order_id": "number",
    "properties.value": "total",
    "properties.products.name": "lines.text",
    "properties.products.price": "lines.each",
    "properties.products.quantity": "lines.count",
    "channel": "=store",
}


def read(
    document: Any, mapping: Mapping[str, str] = MAPPING, zone: str | None = None
) -> Event | Rejection | Items:
    """What a record holds, read by a mapping that its input has."""
    door = door_of(0, {"clicks": InputDoor("mapping", mapping, zone)})
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return RecordReader(door, "clicks").read(value, (), -1, NEVER_MS)


def event(document: Any, mapping: Mapping[str, str] = MAPPING, zone: str | None = None) -> Event:
    """The event of a record that must be accepted."""
    found = read(document, mapping, zone)
    assert isinstance(found, Event), found
    return found


def rejection(document: Any, mapping: Mapping[str, str] = MAPPING) -> Rejection:
    """Why a record is refused that must be."""
    found = read(document, mapping)
    assert isinstance(found, Rejection), found
    return found


def test_paths_lead_to_the_fields() -> None:
    """The rest goes into the properties as it stood, without what was mapped; nothing empty is kept."""
    document = {
        "who": {"id": 17, "name": "Ann"}, "at": "2024-05-20T10:00:00Z", "what": "cart", "sum": 3.5, "x": "",
    }  # fmt: skip
    found = event(document)
    assert ("u:17", "track", "cart", 1_716_199_200_000) == (
        found.profile,
        found.type,
        found.name,
        found.at_ms,
    )
    assert {"who": {"name": "Ann"}, "sum": 3.5} == found.properties
    assert event_fingerprint(document) == found.id, "it has no id of its own"


def test_a_name_with_a_dot_is_a_name_first() -> None:
    """Columns of a table may be called like paths."""
    found = event({"who.id": "4", "who": {"id": "5"}, "at": "1716199200", "what": "x"})
    assert ("u:4", {"who": {"id": "5"}}) == (found.profile, found.properties)


def test_targets_anywhere_in_properties_and_context() -> None:
    """A path can go to several fields, and several paths into one object."""
    mapping = MAPPING | {
        "messageId": "id",
        "type": "kind",
        "properties.query": "q",
        "context.device.type": "dev",
        "context.device.id": "who.id",
    }
    document = {"id": "m1", "kind": "page", "who": {"id": "7"}, "at": 1716199200000, "q": "how", "dev": "tv"}
    found = event(document, mapping)
    assert ("m1", "page", {"query": "how"}) == (found.id, found.type, found.properties)
    assert {"device": {"type": "tv", "id": "7"}} == found.context


def test_the_receipt_of_a_till() -> None:
    """A receipt is one purchase with its lines as products, in the zone of the till."""
    found = event(
        {
            "card": "4711", "printed": "2024-05-20 10:05:00", "number": 12, "total": 8.5, "till": "3",
            "lines": [{"text": "tea", "each": 2.5, "count": 1}, {"text": "pot", "count": 2, "gift": True}],
        },
        RECEIPT,
        "Europe/Rome",
    )  # fmt: skip
    assert (1_716_192_300_000, 8) == (found.at_ms, found.utc_offset_quarters)
    assert ("Order Completed", "store") == (found.name, found.channel)
    assert found.properties == {
        "till": "3",
        "order_id": 12,
        "value": 8.5,
        "lines": [{}, {"gift": True}],
        "products": [{"name": "tea", "price": 2.5, "quantity": 1}, {"name": "pot", "quantity": 2}],
    }


def test_members_of_a_list_are_completed_in_their_place() -> None:
    """A list that keeps its name gets the fields that are mapped into its members, each where it belongs."""
    found = event(
        {"who": {"id": "1"}, "at": 1716199200, "products": [{"cost": 1}, {"sku": "b", "cost": 2}]},
        MAPPING | {"properties.products.price": "products.cost", "properties.costs": "products.cost"},
    )
    assert {"products": [{"price": 1}, {"sku": "b", "price": 2}], "costs": [1, 2]} == found.properties


@pytest.mark.parametrize(
    ("document", "reason", "words"),
    [
        ({"at": "2024-05-20T10:00:00Z"}, Reason.MISSING_PERSON, "neither a user nor a device"),
        ({"who": {"id": {}}, "at": "2024-05-20T10:00:00Z"}, Reason.WRONG_TYPE, "who.id is an object"),
        ({"who": {"id": "1"}}, Reason.MISSING_TIME, "no time"),
        ({"who": {"id": "1"}, "at": "yesterday"}, Reason.BAD_TIME, "at is not"),
        ({"who": {"id": "1"}, "at": "2024-05-20", "what": 5}, Reason.WRONG_TYPE, "what is a number"),
        ("text", Reason.WRONG_TYPE, "not an object"),
        (b'{"who": {"id": "a\xff"}, "at": 1716199200}', Reason.UNDECODABLE, "who.id"),
    ],
)
def test_a_refusal_names_the_path_in_the_record(document: Any, reason: Reason, words: str) -> None:
    """Not that of the field, which a reader of the record would look for in vain."""
    found = rejection(document)
    assert (reason, True) == (found.reason, words in found.detail), found


def test_without_a_mapping_nothing_can_be_read() -> None:
    """A header can name this format alone; then the record is refused."""
    found = rejection({"who": {"id": "1"}}, {})
    assert (Reason.UNKNOWN_FORMAT, "there is no mapping to read it by") == (found.reason, found.detail)


def test_what_was_wrong_is_repaired_and_noted() -> None:
    """As in any other format."""
    found = event({"who": {"id": 17.0}, "at": "1716199200123", "what": "cart"})
    assert ("u:17", 1_716_199_200_123) == (found.profile, found.at_ms)
    assert (Repair.ID, Repair.TIME_FORM) == found.repairs


@pytest.mark.parametrize(
    ("mapping", "field", "words"),
    [
        (
            MAPPING | {"clientId": "a"},
            "clientId",
            ["'clientId' is no field", "anonymousId", "context.<name>"],
        ),
        (MAPPING | {"properties": "a"}, "properties", ["'properties' is no field"]),
        (MAPPING | {"properties.": "a"}, "properties.", ["'properties.' is no field"]),
        (MAPPING | {"context..x": "a"}, "context..x", ["'context..x' is no field"]),
        (
            MAPPING | {"properties.a": "a", "properties.a.b": "b"},
            "properties.a",
            ["properties.a.b lies inside"],
        ),
        (MAPPING | {"name": ""}, "name", ["names nothing"]),
        (MAPPING | {"name": "="}, "name", ["names nothing"]),
        ({"userId": "a"}, None, ["timestamp (when an event happened)"]),
        ({"timestamp": "a"}, None, ["userId or anonymousId (who it was)"]),
        ({}, None, ["nothing is mapped"]),
    ],
)
def test_faults_of_a_mapping(mapping: dict[str, str], field: str | None, words: list[str]) -> None:
    """Each is named with its field and what would be right."""
    found = mapping_fault(mapping)
    assert found is not None
    assert field == found.field
    assert all(word in found.text for word in words), found
    assert mapping_fault(MAPPING) is None


def test_a_header_carries_a_mapping() -> None:
    """A record of a file is read by the mapping of the file, whatever its input is said to have."""
    mapping = MAPPING | {"properties.a b": 'x "y" z', "event": "=was da"}
    record = json.dumps({"who": {"id": "1"}, "at": "2024-05-20 10:05:00", 'x "y" z': 3}).encode()
    wanted = InputDoor("mapping", mapping, "Europe/Rome")
    for door in (door_of(0), door_of(0, {"clicks": InputDoor("segment")})):
        reader = RecordReader(door, "clicks")
        found = reader.read(record, (*read_as(wanted), ("x", b"")), 5, NEVER_MS)
        assert isinstance(found, Event)
        assert ("was da", {"a b": 3}, 8) == (found.name, found.properties, found.utc_offset_quarters)
        assert b"" == reader.quick_key_of(b'{"type": "track", "userId": "7"}', read_as(wanted))


@pytest.mark.parametrize(
    "header", [b"", b"xml", b"mapping", b"mapping  {", b"mapping Nowhere []", b"\xff" * 99]
)
def test_headers_that_nobody_wrote(header: bytes) -> None:
    """They raise nothing: the record is refused, or read without a mapping."""
    found = RecordReader(door_of(0), "clicks").read(b'{"a": 1}', (("read-as", header),), -1, NEVER_MS)
    assert isinstance(found, Rejection)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from("abc"), JSON, max_size=3),
    st.dictionaries(
        st.sampled_from(["userId", "timestamp", "properties.a", "properties.b.c", "context.a.b.c"]),
        st.sampled_from(["a", "a.b", "b.c", "a.b.c", "=a"]),
    ),
)
def test_a_mapping_changes_no_document(document: dict[str, Any], mapping: dict[str, str]) -> None:
    """Nor does it raise, whatever stands where it looks."""
    before = json.dumps(document)
    mapped_record(document, mapping)
    assert before == json.dumps(document)
