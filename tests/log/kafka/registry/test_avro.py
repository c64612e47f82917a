"""Messages in Avro are the JSON that they stand for, and no message costs more than its bytes."""

import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.nesting import MAX_DEPTH
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.log.kafka.registry.avro import MAX_DECIMAL_BYTES, AvroReader, avro_reader
from tests.log.kafka.registry.messages import avro, clicks

GOLDEN = Path(__file__).parent / "golden" / "avro.json"
TREE = {
    "type": "record",
    "name": "Node",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "children", "type": {"type": "array", "items": "Node"}},
        {"name": "next", "type": ["null", "Node"], "default": None},
        {"name": "links", "type": {"type": "map", "values": "Node"}, "default": {}},
    ],
}


def reader(schema: Any, *references: Any) -> AvroReader:
    """The reader of a schema, which must be one."""
    made = avro_reader(json.dumps(schema), [json.dumps(other) for other in references], "the schema 7")
    assert isinstance(made, AvroReader), made
    return made


def read(schema: Any, value: Any) -> Any:
    """What a value is read as, written by fastavro."""
    found = reader(schema).read(avro(schema, value))
    assert isinstance(found, bytes), found
    return json.loads(found)


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text("utf-8")), ids=lambda case: case["what"])
def test_golden(case: dict[str, Any]) -> None:
    """Bytes that were written once are read as what is written beside them."""
    found = reader(case["schema"]).read(bytes.fromhex(case["hex"]))
    assert case["read"] == (found.decode() if isinstance(found, bytes) else found.detail)


AT = datetime(2024, 5, 20, 10, 13, 20, 123456, UTC)
LOCAL, NANOS = AT.replace(tzinfo=None), 1_716_200_000_123_456_789
MANY = 10**37 + 1


def logical(kind: str, of: str, **more: Any) -> dict[str, Any]:
    """A type with a logical one."""
    return {"type": kind, "logicalType": of, **more}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (logical("long", "timestamp-millis"), AT, "2024-05-20T10:13:20.123Z"),
        (logical("long", "timestamp-micros"), AT, "2024-05-20T10:13:20.123456Z"),
        (logical("long", "timestamp-nanos"), NANOS, "2024-05-20T10:13:20.123456789Z"),
        (logical("long", "timestamp-millis"), -1, "1969-12-31T23:59:59.999Z"),
        (logical("long", "timestamp-millis"), 2**63 - 1, 2**63 - 1),
        (logical("long", "local-timestamp-millis"), LOCAL, "2024-05-20T10:13:20.123"),
        (logical("int", "date"), date(2024, 5, 20), "2024-05-20"),
        (logical("int", "date"), 2**31 - 1, 2**31 - 1),
        (logical("int", "time-millis"), time(10, 13, 20, 123000), "10:13:20.123"),
        (logical("long", "time-micros"), time(10, 13, 20, 123456), "10:13:20.123456"),
        (logical("bytes", "decimal", precision=9, scale=2), Decimal("-18.50"), "-18.50"),
        (logical("bytes", "decimal", precision=38, scale=0), Decimal(MANY), str(MANY)),
        (logical("fixed", "decimal", name="F", size=4, precision=9, scale=3), Decimal("0.007"), "0.007"),
        (logical("string", "uuid"), UUID(int=7), str(UUID(int=7))),
        (logical("string", "uuid"), "no uuid", "no uuid"),
        ("bytes", b"\x00\xff", "AP8="),
        ({"type": "fixed", "name": "F", "size": 2}, b"ab", "YWI="),
        ({"type": "enum", "name": "E", "symbols": ["a", "b"]}, "b", "b"),
        ({"type": "map", "values": ["null", "long"]}, {"a": None, "b": 2**60}, {"a": None, "b": 2**60}),
        ({"type": "array", "items": ["null", "string"]}, ["a", None], ["a", None]),
        (["null", "string"], "x", "x"),
        (["null", "string"], None, None),
        ("string", '{"type": "track"}', '{"type": "track"}'),
        (logical("string", "unheard-of"), "x", "x"),
        ("double", float("nan"), None),
        ("boolean", True, True),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_is_read_as(schema: Any, value: Any, expected: object) -> None:
    """Times, dates and decimals are texts; bytes are base64; a union is the value of its branch."""
    assert expected == read(schema, value)


def test_a_decimal_of_a_megabyte_is_bytes() -> None:
    """Its digits would take longer than a worker may be silent."""
    schema = logical("bytes", "decimal", precision=9, scale=2)
    large = (MAX_DECIMAL_BYTES + 1) * b"\x7f"
    assert f'"{base64.b64encode(large).decode()}"'.encode() == reader(schema).read(avro("bytes", large))
    number = MAX_DECIMAL_BYTES * b"\x7f"
    shown = str(int.from_bytes(number, "big"))
    assert f'"{shown[:-2]}.{shown[-2:]}"'.encode() == reader(schema).read(avro("bytes", number))


def test_a_uuid_of_sixteen_bytes() -> None:
    """It is text, too."""
    schema = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}
    assert f'"{UUID(int=7)}"'.encode() == reader(schema).read(UUID(int=7).bytes)


def test_other_schemas_that_a_schema_needs() -> None:
    """A union of names, each in a schema of its own, one of which needs another one."""
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "value", "type": "double"}]}
    bought: dict[str, Any] = {
        "type": "record",
        "name": "shop.Bought",
        "fields": [
            {"name": "price", "type": "shop.Money"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
    price, at = bought["fields"]
    in_one = bought | {"fields": [price | {"type": money}, at]}
    body = avro(["null", in_one], {"price": {"value": 2.5}, "at": AT})
    found = reader(["null", "shop.Bought"], money, bought).read(body)
    assert b'{"price":{"value":2.5},"at":"2024-05-20T10:13:20.123Z"}' == found


def test_bytes_that_are_not_utf_8_stay() -> None:
    """The door judges them, as it judges those of a record in JSON."""
    body = avro(clicks(), click(event="Order Completed", query="caf?")).replace(b"caf?", b"caf\xe9")
    found = reader(clicks()).read(body)
    assert isinstance(found, bytes)
    assert b"caf\xe9" in found
    event = RecordReader(door_of(0), "clicks").read(found, (), -1, LATEST_MS)
    assert isinstance(event, Event)
    assert ("caf\ufffd", ["encoding"]) == (event.properties["query"], [kind.value for kind in event.repairs])


def click(event: str | None = "Product Viewed", **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": "m-1",
        "timestamp": AT,
        "userId": "4711",
        "anonymousId": None,
        "event": event,
        "properties": {"order_id": None, "value": None, "currency": None, "query": None} | properties,
    }


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CLICKS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "page"]),
        "messageId": st.none() | TEXTS,
        "timestamp": st.datetimes(datetime(1990, 1, 1), datetime(2250, 1, 1)).map(
            lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
        ),
        "userId": st.none() | TEXTS,
        "anonymousId": st.none() | TEXTS,
        "event": st.none() | TEXTS,
        "properties": st.fixed_dictionaries(
            {
                "order_id": st.none() | TEXTS,
                "value": st.none() | st.decimals(-9_999_999, 9_999_999, places=2),
                "currency": st.none() | TEXTS,
                "query": st.none() | TEXTS,
            }
        ),
    }
)


@given(CLICKS)
def test_a_message_is_read_as_its_json(value: dict[str, Any]) -> None:
    """The door sees in a message in Avro what it sees in the same record in JSON."""
    found = reader(clicks()).read(avro(clicks(), value))
    assert isinstance(found, bytes)
    door = RecordReader(door_of(0), "clicks")
    amount = value["properties"]["value"]
    plain = value | {
        "timestamp": value["timestamp"].isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "properties": value["properties"] | {"value": None if amount is None else str(amount)},
    }
    expected = door.read(json.dumps(plain).encode(), (), -1, LATEST_MS)
    assert expected == door.read(found, (), -1, LATEST_MS)


def test_a_message_that_is_cut_off_is_rejected() -> None:
    """Wherever it is cut, and if something follows it."""
    body = avro(clicks(), click("Order Completed", value=Decimal("18.50"), order_id="o-1"))
    made = reader(clicks())
    assert isinstance(made.read(body), bytes)
    for end in range(len(body)):
        found = made.read(body[:end])
        assert isinstance(found, Rejection)
        assert found.reason is Reason.UNDECODABLE
        assert "the schema 7" in found.detail
    longer = made.read(body + b"\0")
    assert isinstance(longer, Rejection)
    assert "1 bytes follow the message" in longer.detail


@given(st.binary(max_size=60), st.sampled_from([clicks(), TREE]))
def test_any_bytes_are_read(body: bytes, schema: Any) -> None:
    """As JSON, or with a reason."""
    found = reader(schema).read(body)
    assert json.loads(found) is not None if isinstance(found, bytes) else found.detail


def nested(depth: int) -> bytes:
    """Nodes within each other, by `next`."""
    return b"\x00\x00\x02" * (depth - 1) + b"\x00\x00\x00" + b"\x00" * depth


def test_a_message_nests_as_deep_as_a_record_may() -> None:
    """Deeper ones are rejected, by a schema that holds itself: its decoder has a stack, too."""
    made = reader(TREE)
    found = made.read(nested(MAX_DEPTH))
    assert isinstance(found, bytes)
    assert found.count(b"{") == 2 * MAX_DEPTH  # `links` is an object, too
    for depth in (MAX_DEPTH + 3, 300_000):
        deeper = made.read(nested(depth))
        assert isinstance(deeper, Rejection)
        assert f"nested more than {MAX_DEPTH} deep" in deeper.detail


def test_a_type_that_always_holds_itself_is_read_by_nobody() -> None:
    """No message of it has an end."""
    made = reader({"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]})
    found = made.read(b"")
    assert isinstance(found, Rejection)
    assert "nested more than" in found.detail


@pytest.mark.parametrize(
    "member",
    [
        "null",
        {"type": "record", "name": "E", "fields": []},
        {"type": "record", "name": "N", "fields": [{"name": "n", "type": "null"}]},
        {"type": "fixed", "name": "F", "size": 0},
        {"type": "null"},
    ],
    ids=str,
)  # fmt: skip
def test_an_array_of_values_without_bytes_is_refused(member: Any) -> None:
    """A message of ten bytes would have as many of them as it likes."""
    for schema in ({"type": "array", "items": member}, {"type": "map", "values": member}):
        found = avro_reader(json.dumps(schema), [], "the schema 7")
        assert isinstance(found, Rejection)
        assert Reason.BINARY is found.reason
        assert "take no bytes" in found.detail
    alone = {"type": "record", "name": "A", "fields": [{"name": "a", "type": member}]}
    assert isinstance(avro_reader(json.dumps(alone), [], "the schema 7"), AvroReader)


@pytest.mark.parametrize("length", [2**62, 2**31, -5])
def test_a_length_beyond_the_message_costs_nothing(length: int) -> None:
    """It is cut off."""
    number = (length << 1) ^ (length >> 63)
    varint = bytearray()
    while number > 0x7F:
        varint.append(number & 0x7F | 0x80)
        number >>= 7
    varint.append(number)
    for schema in ("bytes", "string", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}):
        assert isinstance(reader(schema).read(bytes(varint)), Rejection)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]x", "{}", '{"type": "record"}', '"unknown.Name"', "7", '{"type": "array"}', "[" * 5000],
)
def test_what_is_no_schema_rejects_its_messages(text: str) -> None:
    """Somebody may have registered anything."""
    found = avro_reader(text, [], "the schema 7")
    assert isinstance(found, Rejection)
    assert Reason.BINARY is found.reason
    assert "the schema 7" in found.detail


def test_a_schema_by_its_bare_name() -> None:
    """Registries keep `string` and `"string"`."""
    for text in ("string", '"string"', '{"type": "string"}'):
        made = avro_reader(text, [], "the schema 7")
        assert isinstance(made, AvroReader)
        assert b'"a"' == made.read(b"\x02a")


def test_the_change_of_a_row_is_its_row() -> None:
    """Debezium's envelope in Avro is taken off as that in JSON is."""
    row = clicks()
    envelope = {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop.clicks",
        "fields": [
            {"name": "before", "type": ["null", row], "default": None},
            {"name": "after", "type": ["null", "shop.Click"], "default": None},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }
    now = AT + timedelta(hours=1)
    change = {"before": None, "after": click(), "op": "c", "ts_ms": int(now.timestamp() * 1000)}
    found = reader(envelope).read(avro(envelope, change))
    assert isinstance(found, bytes)
    event = RecordReader(door_of(0), "clicks").read(found, (), -1, LATEST_MS)
    assert isinstance(event, Event)
    assert ("m-1", "4711", "Product Viewed") == (event.id, event.user_id, event.name)
    assert int(AT.timestamp() * 1000) == event.at_ms
