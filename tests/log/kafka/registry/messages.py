"""Schemas, and messages as collectors write them: by fastavro, and by Google's library."""

import io
from typing import Any

import fastavro
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

GUID = "89791762-2336-4186-9674-299b90a802e2"


def clicks() -> dict[str, Any]:
    """A schema of Avro in the shape of the Segment spec."""
    return {
        "type": "record",
        "name": "Click",
        "namespace": "shop",
        "fields": [
            {"name": "type", "type": {"type": "enum", "name": "Call", "symbols": ["track", "page"]}},
            {"name": "messageId", "type": ["null", "string"], "default": None},
            {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "userId", "type": ["null", "string"], "default": None},
            {"name": "anonymousId", "type": ["null", "string"], "default": None},
            {"name": "event", "type": ["null", "string"], "default": None},
            {
                "name": "properties",
                "type": {
                    "type": "record",
                    "name": "Properties",
                    "fields": [
                        {"name": "order_id", "type": ["null", "string"], "default": None},
                        {
                            "name": "value",
                            "type": [
                                "null",
                                {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
                            ],
                            "default": None,
                        },
                        {"name": "currency", "type": ["null", "string"], "default": None},
                        {"name": "query", "type": ["null", "string"], "default": None},
                    ],
                },
            },
        ],
    }


def avro(schema: Any, value: Any) -> bytes:
    """A message in Avro, without a frame."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


def frame(number: int, message: bytes) -> bytes:
    """A message behind the number of its schema."""
    return b"\0" + number.to_bytes(4, "big") + message


def shop_file() -> FileDescriptorProto:
    """A file of Protobuf in the shape of the Segment spec: Unused, then Click with Click.Nested."""
    field = FieldDescriptorProto
    file = FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/struct.proto"])
    file.message_type.add(name="Unused")
    click = file.message_type.add(name="Click")
    for number, (name, json_name) in enumerate(
        [
            ("type", "type"),
            ("message_id", "messageId"),
            ("user_id", "userId"),
            ("anonymous_id", "anonymousId"),
            ("event", "event"),
        ],
        1,
    ):
        click.field.add(name=name, json_name=json_name, number=number, type=field.TYPE_STRING, label=1)
    click.field.add(
        name="timestamp", number=6, type=field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=1
    )
    click.field.add(
        name="properties", number=7, type=field.TYPE_MESSAGE, type_name=".google.protobuf.Struct", label=1
    )
    click.field.add(name="next", number=8, type=field.TYPE_MESSAGE, type_name=".shop.Click", label=1)
    click.nested_type.add(name="Nested").field.add(name="event", number=1, type=field.TYPE_STRING, label=1)
    return file


def new_message(file: FileDescriptorProto, name: str, *others: FileDescriptorProto) -> Message:
    """An empty message of this type. `others`: files that it imports, beside those of Google."""
    from google.protobuf import struct_pb2, timestamp_pb2

    pool = DescriptorPool()
    for shipped in (struct_pb2.DESCRIPTOR, timestamp_pb2.DESCRIPTOR):
        copy = descriptor_pb2.FileDescriptorProto()
        shipped.CopyToProto(copy)
        pool.Add(copy)
    for other in (*others, file):
        pool.Add(other)
    made: Message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    return made
