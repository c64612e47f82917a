"""Finds which schema of a registry a record was written with, and where its message begins.

Confluent's serializers write it in one of two ways: a frame in front of the message (a zero and the number of
the schema, four bytes), or a header with the schema's GUID, which leaves the message as it is. With Protobuf,
what follows says which message of the schema it is.
"""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from streams.core.ingest.binary_data import FRAME_BYTES
from streams.core.ingest.event import Rejection
from streams.core.ingest.headers import SCHEMA_HEADER
from streams.core.ingest.json_text import Decoded, decode
from streams.records import Headers

MAX_INDEXES = 64  # of a message: each is one level of nesting in its file
_JSON = (b"{", b"[", b'"')
_NUMBER, _GUID = 0, 1  # the first byte: what names the schema
_GUID_BYTES = 16
_MORE, _BITS = 0x80, 7  # of a byte of a number: another one follows; what it carries
_MAX_SHIFT = 63

SchemaKey = int | str
"""What names a schema in its registry: its number, or its GUID."""


class FramedMessage(NamedTuple):
    """A message, and the schema that it was written with."""

    key: SchemaKey
    body: bytes  # with the indexes of a Protobuf message, if they stand in front of it
    in_header: bytes | None  # what follows the GUID in the header; None: the schema is named in a frame


ReadMessage = Callable[[FramedMessage], bytes | Rejection | None]
"""Reads a message as JSON. None: it is JSON already."""


def framed_message(value: bytes | None, headers: Headers) -> FramedMessage | None:
    """The message of a record; None if no schema is named, or if it is JSON, which needs none."""
    if not value:
        return None
    if headers and (named := _named_in(headers)) is not None:
        key, rest = named
        return None if _is_json(value) else FramedMessage(key, value, rest)
    if value[0] != _NUMBER or len(value) < FRAME_BYTES:
        return None
    body = value[FRAME_BYTES:]
    return None if _is_json(body) else FramedMessage(_number(value), body, None)


def _named_in(headers: Headers) -> tuple[SchemaKey, bytes] | None:
    for name, value in headers:
        if name == SCHEMA_HEADER and value:
            if value[0] == _GUID and len(value) > _GUID_BYTES:
                return str(UUID(bytes=value[1 : 1 + _GUID_BYTES])), value[1 + _GUID_BYTES :]
            if value[0] == _NUMBER and len(value) >= FRAME_BYTES:
                return _number(value), value[FRAME_BYTES:]
    return None


def _number(frame: bytes) -> int:
    return int.from_bytes(frame[1:FRAME_BYTES], "big")


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in _JSON and isinstance(decode(body), Decoded)


def split_indexes(data: bytes) -> tuple[tuple[int, ...], bytes] | None:
    """Which message of a Protobuf file it is, from the outermost one inwards, and what follows.

    None if the bytes do not say it.
    """
    count, at = _zigzag(data, 0)
    if count == 0:
        return (0,), data[at:]
    if count is None or not 0 < count <= MAX_INDEXES:
        return None
    indexes = []
    for _ in range(count):
        index, at = _zigzag(data, at)
        if index is None or index < 0:
            return None
        indexes.append(index)
    return tuple(indexes), data[at:]


def _zigzag(data: bytes, at: int) -> tuple[int | None, int]:
    """The number at this place and the place after it; None if it has no end."""
    number = 0
    for shift in range(0, _MAX_SHIFT + 1, _BITS):
        if at >= len(data):
            break
        byte = data[at]
        number |= (byte & ~_MORE) << shift
        at += 1
        if byte < _MORE:
            return (number >> 1) ^ -(number & 1), at
    return None, at
