"""Formats are found by name, and each can do what a format must."""

from typing import Any

import pytest

from streams.core.ingest.event import Reason, Rejection
from streams.core.ingest.formats import FORMATS
from streams.core.ingest.formats.detection import DETECTION
from streams.core.ingest.formats.format import InputContext


@pytest.mark.parametrize("name", FORMATS)
def test_a_format(name: str) -> None:
    """A format is listed under its own name, has a version and a row in the table, and refuses others."""
    known = FORMATS[name]
    assert name == known.name
    assert known.version >= 1
    assert known.decisive
    assert name in dict(DETECTION)
    documents: list[Any] = [{}, [], "", "x", 7, None, {"a": 1}]
    for document in documents:
        found = known.draft(document, InputContext())
        assert isinstance(found, Rejection)
        assert found.reason in (Reason.UNKNOWN_FORMAT, Reason.UNKNOWN_TYPE, Reason.WRONG_TYPE)
