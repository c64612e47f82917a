"""Formats are found by name, and each can do what a format must."""

import pytest

from streams.core.ingest.event import Event, Rejection
from streams.core.ingest.formats import FORMATS, Format
from tests.core.ingest.examples import NEVER_MS, record


@pytest.mark.parametrize("name", FORMATS)
def test_a_format(name: str) -> None:
    """A format is listed under its own name, has a version, refuses
    what is no record, and gives it no key.
    """
    known = FORMATS[name]
    assert name == known.name
    assert known.version >= 1
    assert isinstance(known.read(None, (), NEVER_MS), Rejection)
    assert b"" == known.key_of(b"")


def test_segment() -> None:
    """The Segment format reads the record and knows its person; an event needs none of a record's headers."""
    known = FORMATS["segment"]
    assert isinstance(known, Format)
    assert isinstance(known.read(record(), (("x", b"y"),), NEVER_MS), Event)
    assert b"user-1" == known.key_of(record())
    assert () == known.headers
