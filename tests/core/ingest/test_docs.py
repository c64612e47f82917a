"""docs/input.md agrees with the code."""

import json
import re
from pathlib import Path

from streams.core.ingest import ids
from streams.core.ingest.door import InputDoor, read_as
from streams.core.ingest.event import MAX_EVENT_NAME_CHARS, MAX_ITEMS, MAX_RECORD_BYTES, Event, Items, Reason
from streams.core.ingest.formats.mapping import FIELDS
from streams.core.ingest.nesting import MAX_DEPTH
from streams.sources.csv import csv_rows
from tests.core.ingest.examples import NEVER_MS
from tests.reading import read_record

PAGE = (Path(__file__).parents[3] / "docs" / "input.md").read_text("utf-8")


def test_the_example_is_an_event() -> None:
    """The record that the page shows is accepted."""
    block = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    found = read_record(block[1].encode(), (), NEVER_MS)
    assert isinstance(found, Event)
    assert ("u:97980cfea0067", "Product Added", 8) == (found.profile, found.name, found.utc_offset_quarters)


def test_the_batch_example() -> None:
    """The batch that the page shows holds two events."""
    block = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[1]
    found = read_record(block.encode(), (), NEVER_MS)
    assert isinstance(found, Items)
    assert ["Cart", "Order Completed"] == [
        item.outcome.name for item in found.items if isinstance(item.outcome, Event)
    ]


def test_the_example_of_a_mapping() -> None:
    """The row that the page shows is read as the record that it shows."""
    table, record = re.findall(r"```(?:csv|jsonc)\n(.*?)```", PAGE, re.DOTALL)
    (command,) = re.findall(r"^streams replay .*$", PAGE, re.MULTILINE)
    mapping = dict(re.findall(r"--map (\S*?)=(\S+)", command))
    ((value, _),) = csv_rows(table.encode().splitlines(keepends=True), mapping)
    found = read_record(value, read_as(InputDoor("mapping", mapping)), NEVER_MS)
    assert isinstance(found, Event)
    wanted = json.loads(record)
    same = read_record(json.dumps({**wanted, "messageId": found.id}).encode(), (), NEVER_MS)
    assert same == found


def test_the_bounds() -> None:
    """The page shows the bounds and targets of the code."""
    assert f"at most {ids.MAX_ID_CHARS} characters" in PAGE
    assert f"cut at {MAX_EVENT_NAME_CHARS} characters" in PAGE
    assert f"at most {MAX_RECORD_BYTES >> 20} MiB and is nested at most {MAX_DEPTH} deep" in PAGE
    assert f"at most {MAX_ITEMS:,} calls" in PAGE
    assert f"longer than {ids.MAX_ID_CHARS} characters" in Reason.BAD_ID.about
    assert f"more than {MAX_DEPTH} deep" in Reason.UNDECODABLE.about
    assert all(f"`{field}`" in PAGE for field in FIELDS)
