"""Which records name a schema, and how."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.ingest.headers import SCHEMA_HEADER
from streams.log.kafka.registry.frame import FramedMessage, framed_message, split_indexes
from tests.log.kafka.registry.messages import GUID, frame

IN_HEADER = ((SCHEMA_HEADER, b"\x01" + UUID(GUID).bytes),)


def test_a_frame_names_a_schema_by_its_number() -> None:
    """A zero and four bytes come before the message, which may be empty."""
    assert FramedMessage(7, b"\x02a", None) == framed_message(frame(7, b"\x02a"), ())
    assert FramedMessage(2**32 - 1, b"", None) == framed_message(frame(2**32 - 1, b""), ())


def test_a_header_names_a_schema_by_its_guid() -> None:
    """The message is the whole value; what follows the GUID says which message of a Protobuf file it is."""
    assert FramedMessage(GUID, b"\0\0\0\0\x07x", b"") == framed_message(b"\0\0\0\0\x07x", IN_HEADER)
    indexes = ((SCHEMA_HEADER, IN_HEADER[0][1] + b"\x02\x02"),)
    assert FramedMessage(GUID, b"x", b"\x02\x02") == framed_message(b"x", indexes)
    number = ((SCHEMA_HEADER, frame(9, b"")),)
    assert FramedMessage(9, b"x", b"") == framed_message(b"x", number)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\0",
        b"\0\0\0\0",
        b'{"a": 1}',
        b"text",
        b"\x1f\x8b\0",
        b'\0\0\0\0\x07 {"a": 1}',
        b"Obj\x01",
    ],
)
def test_other_records_name_none(value: bytes | None) -> None:
    """Nor do those in JSON, in whose frame nobody has to look."""
    assert framed_message(value, (("other", b"\x01"),)) is None


def test_a_header_that_names_nothing_is_none() -> None:
    """One that is too short, and one of an unknown kind."""
    for broken in (b"", b"\x01short", b"\0\0", b"\x02" + bytes(16)):
        assert framed_message(b"x", ((SCHEMA_HEADER, broken),)) is None
    assert framed_message(b'{"type": "track"}', IN_HEADER) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\0rest", ((0,), b"rest")),
        (b"\x02\0rest", ((0,), b"rest")),
        (b"\x02\x02rest", ((1,), b"rest")),
        (b"\x04\x02\x06rest", ((1, 3), b"rest")),
        (b"\x02\x80\x02", ((128,), b"")),
        (b"", None),
        (b"\x01", None),  # -1 of them
        (b"\x02", None),
        (b"\x02\x01", None),  # the message -1
        (b"\xff" * 12, None),
        (b"\xfe\xff\xff\xff\x0f", None),
    ],
)
def test_the_indexes_of_a_message(data: bytes, expected: object) -> None:
    """How many, then each, zigzag; a single zero stands for the first message."""
    assert expected == split_indexes(data)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_looked_at(value: bytes, header: bytes) -> None:
    """Nothing raises."""
    framed_message(value, ((SCHEMA_HEADER, header),))
    framed_message(b"\0" + value, ())
    split_indexes(value)
