"""Formats are found by name, and each can do what a format must."""

from typing import Any

import msgspec
import pytest

from streams.core.ingest.event import Reason, Rejection
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.detection import DETECTION
from streams.core.ingest.formats.format import InputContext
from streams.core.ingest.formats.mapping import MAPPING
from tests.core.ingest.examples import record
from tests.reading import read_record


@pytest.mark.parametrize("name", FORMATS)
def test_a_format(name: str) -> None:
    """A format is listed under its own name, has a version and a row in the table, and refuses others."""
    known = FORMATS[name]
    assert name == known.name
    assert known.version >= 1
    assert known.decisive
    assert (name in dict(DETECTION)) == (name != MAPPING), "no record shows that it is read by a mapping"
    documents: list[Any] = [{}, [], "", "x", 7, None, {"a": 1}]
    for document in documents:
        found = known.draft(document, InputContext())
        assert isinstance(found, Rejection)
        assert found.reason in (Reason.UNKNOWN_FORMAT, Reason.UNKNOWN_TYPE, Reason.WRONG_TYPE)


def _raise(document: Any, *_: Any) -> Any:
    return document["not there"]


@pytest.mark.parametrize("where", ["draft", "split"])
def test_a_defect_in_a_reader_stops_nothing(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record is refused and kept, as any other that cannot be read, and the stream goes on."""
    broken = msgspec.structs.replace(FORMATS["segment"], **{where: _raise})
    assert isinstance(FORMATS, dict)
    monkeypatch.setitem(FORMATS, "segment", broken)
    found = read_record(record(type="Track"))
    assert isinstance(found, Rejection)
    assert found.detail == "a defect in the reader of segment: KeyError('not there')"
