"""What a file that is read as the wrong format looks like is guessed, and said with the right flag."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.core.ingest.door import InputDoor, door_of
from streams.core.ingest.reading import RecordReader
from streams.core.ingest.times import LATEST_MS
from streams.core.moments.rules import default_rules
from streams.queries.input_check import InputCheck, InputReport, guess_format, nothing_read
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from streams.topology import EVENTS

GA4 = {
    "event_name": "view_item",
    "event_timestamp": "1700000000000000",
    "user_pseudo_id": "1.2",
    "event_params": [],
}
SEGMENT = {"type": "track", "event": "x", "userId": "u", "timestamp": "2024-01-01T00:00:00Z"}


def report_of(path: Path, rows: list[Any], format: str) -> InputReport:
    """The report on a file of these rows that is read as this format."""
    path.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    reader = RecordReader(door_of(0, inputs={EVENTS.name: InputDoor(format)}), EVENTS.name)
    check = InputCheck(reader, default_rules(), None, (), LATEST_MS)
    given = FiniteInput([path], InputFormat())
    survey = given.look(check.read, None, LATEST_MS, lambda rows, read_bytes, total_bytes: None)
    assert (survey.items, survey.refused) == (len(rows), len(survey.refused_rows))
    assert check.report(survey, 0).guess == guess_format(reader, survey.refused_rows)
    return check.report(survey, 0)


@pytest.mark.parametrize(
    ("rows", "format", "guess"),
    [
        ([GA4, GA4, SEGMENT], "segment", "ga4"),
        ([GA4, SEGMENT, SEGMENT], "ga4", "segment"),
        ([GA4, SEGMENT], "auto", None),
        ([{"what": "is this"}], "auto", None),
        ([{"what": "is this"}, "text"], "segment", None),
        ([SEGMENT | {"timestamp": "yesterday"}], "segment", None),
    ],
)
def test_a_guess_is_another_format(tmp_path: Path, rows: list[Any], format: str, guess: str | None) -> None:
    """Most of what is refused looks like it; what is refused for another reason is no other format."""
    assert guess == report_of(tmp_path / "rows", rows, format).guess


def test_the_guess_is_said(tmp_path: Path) -> None:
    """The warning and the error name the tool and the flag."""
    report = report_of(tmp_path / "rows", [GA4, GA4, SEGMENT], "segment")
    said = "these look like records of Google Analytics 4, BigQuery export: --format ga4"
    assert [f"2 of 3 events are refused (67%); {said}"] == report.warnings
    assert nothing_read("a.jsonl", "ga4").endswith(f"none of its events could be read; {said}")
