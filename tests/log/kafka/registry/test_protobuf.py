"""Messages in Protobuf are the JSON of Protobuf's own mapping, whatever files their schema imports."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.door import door_of
from streams.core.ingest.event import Event, Reason, Rejection
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.log.kafka.registry.protobuf import ProtobufReader, is_compiled, protobuf_reader
from tests.log.kafka.registry.messages import new_message, shop_file

GOLDEN = Path(__file__).parent / "golden" / "protobuf.json"
CLICK = b"\x02\x02"  # the second message of the file
AT = datetime(2024, 5, 20, 10, 13, 20, 123000, UTC)


def compiled(file: FileDescriptorProto) -> str:
    """The file as a registry gives it."""
    return base64.b64encode(file.SerializeToString()).decode()


def reader(file: FileDescriptorProto, **others: FileDescriptorProto) -> ProtobufReader:
    """The reader of a schema, which must be one."""
    references = {name: compiled(other) for name, other in others.items()}
    made = protobuf_reader(compiled(file), references, "the schema 7")
    assert isinstance(made, ProtobufReader), made
    return made


def click(**fields: Any) -> Any:
    """A message of the type Click."""
    made: Any = new_message(shop_file(), "shop.Click")
    for name, value in fields.items():
        if name == "properties":
            made.properties.update(value)
        elif name == "timestamp":
            made.timestamp.FromDatetime(value)
        elif value is not None:
            setattr(made, name, value)
    return made


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text("utf-8")), ids=lambda case: case["what"])
def test_golden(case: dict[str, Any]) -> None:
    """Bytes that were written once are read as what is written beside them."""
    made = protobuf_reader(case["schema"], {}, "the schema 7")
    assert isinstance(made, ProtobufReader)
    found = made.read(bytes.fromhex(case["hex"]), None)
    assert case["read"] == (found.decode() if isinstance(found, bytes) else found.detail)


def test_which_message_of_the_file_it_is() -> None:
    """The indexes before the message, or behind the GUID in the header, say it; none there is the first."""
    made = reader(shop_file())
    body = click(event="a").SerializeToString()
    assert b'{"event":"a"}' == made.read(CLICK + body, None)
    assert b'{"event":"a"}' == made.read(body, CLICK)
    assert b"{}" == made.read(b"\0", None)
    assert b"{}" == made.read(b"", b"")
    assert b'{"event":"a"}' == made.read(b"\x04\x02\x00\x0a\x01a", None)  # Click.Nested
    for unknown in (b"\x02\x04", b"\x04\x02\x02", b"\x06\x02\x00\x00"):
        found = made.read(unknown, None)
        assert isinstance(found, Rejection)
        assert "it has no message" in found.detail
    missing = made.read(b"", None)
    assert isinstance(missing, Rejection)
    assert "does not say which message" in missing.detail


def protobuf_text(at: datetime) -> str:
    """The time as Protobuf's mapping writes it: without a fraction of zero."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
PROPERTIES = st.dictionaries(TEXTS, st.none() | TEXTS | st.booleans() | st.floats(-1e9, 1e9), max_size=4)


@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["track", "page"]),
            "message_id": st.none() | TEXTS,
            "user_id": st.none() | TEXTS,
            "anonymous_id": st.none() | TEXTS,
            "event": st.none() | TEXTS,
            "timestamp": st.datetimes(datetime(1990, 1, 1), datetime(2250, 1, 1)).map(
                lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
            ),
            "properties": PROPERTIES,
        }
    )
)
def test_a_message_is_read_as_its_json(value: dict[str, Any]) -> None:
    """The door sees in a message in Protobuf what it sees in the same record in JSON."""
    found = reader(shop_file()).read(CLICK + click(**value).SerializeToString(), None)
    assert isinstance(found, bytes)
    plain = {
        "type": value["type"],
        "messageId": value["message_id"],
        "userId": value["user_id"],
        "anonymousId": value["anonymous_id"],
        "event": value["event"],
        "timestamp": protobuf_text(value["timestamp"]),
        "properties": value["properties"],
    }
    plain = {name: member for name, member in plain.items() if member not in (None, {})}
    door = RecordReader(door_of(0), "clicks")
    expected = door.read(json.dumps(plain).encode(), (), -1, LATEST_MS)
    assert expected == door.read(found, (), -1, LATEST_MS)


def test_other_files_that_a_file_imports() -> None:
    """Those that the registry has, those of Google that it does not keep, and Confluent's own."""
    kinds = FieldDescriptorProto
    money = FileDescriptorProto(name="anything", package="shop", syntax="proto3")
    money.dependency.append("google/type/money.proto")
    money.message_type.add(name="Price").field.add(
        name="net", number=1, type=kinds.TYPE_MESSAGE, type_name=".google.type.Money", label=1
    )
    order = FileDescriptorProto(name="default", package="shop", syntax="proto3")
    order.dependency.extend(
        ["prices.proto", "confluent/meta.proto", "confluent/type/decimal.proto", "google/type/latlng.proto"]
    )
    message = order.message_type.add(name="Order")
    message.field.add(name="price", number=1, type=kinds.TYPE_MESSAGE, type_name=".shop.Price", label=1)
    message.field.add(
        name="tax", number=2, type=kinds.TYPE_MESSAGE, type_name=".confluent.type.Decimal", label=1
    )
    made = reader(order, **{"prices.proto": money})
    assert b"{}" == made.read(b"\0", None)
    body = b"\x0a\x07\x0a\x05\x0a\x03EUR" + b"\x12\x05\x0a\x01\x07\x18\x02"
    assert b'{"price":{"net":{"currencyCode":"EUR"}},"tax":{"scale":2,"value":"Bw=="}}' == made.read(
        b"\0" + body, None
    )


def test_a_file_that_nobody_has() -> None:
    """The detail names it."""
    for path in ("prices.proto", "google/type/nothing.proto", "google/protobuf/../os.proto", "os.proto"):
        file = FileDescriptorProto(name="x", syntax="proto3", dependency=[path])
        found = protobuf_reader(compiled(file), {}, "the schema 7")
        assert isinstance(found, Rejection)
        assert (Reason.BINARY, True) == (found.reason, path in found.detail)


def test_a_message_that_is_damaged_is_rejected() -> None:
    """Cut off in a field, or none at all."""
    made = reader(shop_file())
    body = click(event="Order Completed", timestamp=AT, properties={"order_id": "o-1"}).SerializeToString()
    found = [made.read(CLICK + body[:end], None) for end in range(len(body))]
    cut = [outcome for outcome in found if isinstance(outcome, Rejection)]
    assert len(cut) > len(body) / 2  # between two fields a message may end
    assert {Reason.UNDECODABLE} == {outcome.reason for outcome in cut}
    assert isinstance(made.read(CLICK + b"\xff" * 20, None), Rejection)


@given(st.binary(max_size=60))
def test_any_bytes_are_read(body: bytes) -> None:
    """As JSON, or with a reason."""
    found = reader(shop_file()).read(CLICK + body, None)
    assert json.loads(found) is not None if isinstance(found, bytes) else found.detail


def test_a_message_that_nests_deep_is_rejected() -> None:
    """As one in JSON is: by the door or, very deep, before it."""
    made, door = reader(shop_file()), RecordReader(door_of(0), "clicks")
    message = b""
    depths = {}
    for depth in range(1, 150):
        size = len(message)
        varint = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
        message = b"\x42" + varint + message  # field 8, `next`
        found = made.read(CLICK + message, None)
        depths[depth] = found if isinstance(found, Rejection) else door.read(found, (), -1, LATEST_MS)
    for depth, outcome in depths.items():
        assert isinstance(outcome, Rejection)
        assert (depth > 63) == (outcome.reason is Reason.UNDECODABLE), depth


def test_a_time_out_of_range_is_rejected() -> None:
    """The mapping has no text for it."""
    message = click(event="a")
    message.timestamp.seconds = 2**60
    found = reader(shop_file()).read(CLICK + message.SerializeToString(), None)
    assert isinstance(found, Rejection)
    assert Reason.UNDECODABLE is found.reason


@pytest.mark.parametrize("text", ['syntax = "proto3"; message Click {}', "", "abcd", "!", "Cgp1"])
def test_what_is_no_compiled_schema(text: str) -> None:
    """A registry that cannot compile gives the text."""
    assert not is_compiled(text)
    assert is_compiled(compiled(shop_file()))
    found = protobuf_reader(text, {}, "the schema 7")
    assert isinstance(found, ProtobufReader | Rejection)


def test_a_schema_that_is_broken_rejects_its_messages() -> None:
    """A field of a type that is nowhere; two messages of one name."""
    lost = shop_file()
    lost.message_type[1].field[5].type_name = ".shop.Nowhere"
    twice = shop_file()
    twice.message_type.add(name="Click")
    for file in (lost, twice):
        found = protobuf_reader(compiled(file), {}, "the schema 7")
        assert isinstance(found, Rejection)
        assert Reason.BINARY is found.reason


def test_a_purchase_comes_through() -> None:
    """Its person, time, name and order are those of the message."""
    message = click(
        type="track", user_id="4711", event="Order Completed", timestamp=AT, properties={"order_id": "o-1"}
    )
    found = reader(shop_file()).read(CLICK + message.SerializeToString(), None)
    assert isinstance(found, bytes)
    event = RecordReader(door_of(0), "clicks").read(found, (), -1, LATEST_MS)
    assert isinstance(event, Event)
    assert ("4711", "Order Completed", {"order_id": "o-1"}) == (event.user_id, event.name, event.properties)
    assert int(AT.timestamp() * 1000) == event.at_ms
