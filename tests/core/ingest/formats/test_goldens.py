"""What holds for the reader of every tool, shown on the records of its golden file."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.ingest.event import Event, Items, Rejection
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.detection import detect
from streams.core.ingest.formats.format import InputContext
from streams.core.ingest.formats.mapping import MAPPING
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS
from tests.core.ingest.formats.goldens import GOLDEN, Golden, goldens, shown
from tests.core.ingest.formats.test_segment_laws import values
from tests.reading import read_record

NAMES = sorted(path.stem for path in GOLDEN.glob("*.jsonl"))
ALL = [(name, golden) for name in NAMES for golden in goldens(name)]
IDS = [f"{name}: {golden.about}" for name, golden in ALL]


@pytest.mark.parametrize(("name", "golden"), ALL, ids=IDS)
def test_what_a_record_is_read_as(name: str, golden: Golden) -> None:
    """A record is told to be of its tool, and is read as the golden file says, each time alike."""
    assert name in (MAPPING, detect(golden.record, golden.headers)), "only a mapping must be named"
    assert golden.read == shown(read_record(golden.value, golden.headers))
    assert read_record(golden.value, golden.headers) == read_record(golden.value, golden.headers)


@pytest.mark.parametrize(("name", "golden"), ALL, ids=IDS)
def test_an_item_is_read_again_alike(name: str, golden: Golden) -> None:
    """One of several events of a record, forwarded by itself, is the same event again."""
    found = read_record(golden.value, golden.headers)
    for item in found.items if isinstance(found, Items) else ():
        assert item.outcome == read_record(item.value, golden.headers)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200)
@given(data=st.data())
def test_a_record_that_was_changed(name: str, data: st.DataObject) -> None:
    """Any value in any place of a record: it is read or refused, never raised."""
    golden = data.draw(st.sampled_from(goldens(name)))
    record = golden.record
    if isinstance(record, str):
        value = _changed_text(record, data).encode("utf-8", "surrogatepass")
    else:
        document = json.loads(json.dumps(record))
        for _ in range(data.draw(st.integers(1, 3))):
            _change(document, data)
        value = json.dumps(document).encode()
        assert isinstance(FORMATS[name].draft(document, InputContext(golden.headers)), object)
    _holds(read_record(value, golden.headers), golden)


def _holds(found: Event | Rejection | Items, golden: Golden) -> None:
    if isinstance(found, Items):
        for item in found.items:
            if isinstance(item.outcome, Event):
                assert item.outcome == read_record(item.value, golden.headers)
            _holds(item.outcome, golden)
    elif isinstance(found, Rejection):
        assert len(found.detail) <= 200
        found.detail.encode()
    else:
        assert EARLIEST_MS <= found.at_ms < LATEST_MS
        assert found.user_id is not None or found.anonymous_id is not None
        json.dumps([found.properties, found.context], allow_nan=False).encode()


def _change(document: Any, data: st.DataObject) -> None:
    """Puts some value in a place of a document that is drawn too."""
    while True:
        keys = list(document) if isinstance(document, dict) else range(len(document))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        member = document[key]
        if not isinstance(member, dict | list) or not member or data.draw(st.booleans()):
            document[key] = data.draw(values)
            return
        document = member


def _changed_text(text: str, data: st.DataObject) -> str:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(begin + 8, len(text))))
    return text[:begin] + data.draw(st.text(max_size=8)) + text[end:]
