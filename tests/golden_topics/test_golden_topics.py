"""What consumers see of one fixed input is what is stored here, byte for byte."""

from typing import Any, get_args

import pytest

from schemas.kinds import Kind, Moment, Op, Unmatched
from streams.core.ingest.event import Reason
from streams.topology import PROGRESS, PUBLISHED
from tests.golden_topics import pages, records, run, stored


async def test_what_consumers_see_has_not_changed() -> None:
    """Every topic's records are the stored ones.

    If they differ and should: `make golden`, and read the difference.
    """
    for path, text in pages(await run(records())):
        stored = path.read_text(encoding="utf-8")
        first = next(
            (
                n
                for n, (was, now) in enumerate(zip(stored.splitlines(), text.splitlines(), strict=False), 1)
                if was != now
            ),
            "the end",
        )
        assert stored == text, (
            f"{path.name} differs from line {first} on. If that is meant: `make golden`, and read the "
            "difference"
        )


async def test_each_topic_has_its_file() -> None:
    """No output topic is left out, and none is empty."""
    said = await run(records())
    golden = {topic.name for topic in PUBLISHED} - {PROGRESS.name}  # it has the time of a clock
    assert {f"{name}.jsonl" for name in golden} == {path.name for path, _ in pages(said)}
    assert {topic.name for topic in PUBLISHED} == {output.topic for _, output in said}


@pytest.mark.parametrize(
    ("topic", "field", "values"),
    [
        ("transitions", "kind", {*get_args(Kind)}),
        ("transitions", "op", {*get_args(Op)}),
        ("transitions", "to", {*get_args(Moment), None}),
        ("transitions", "need", {None, "coffee", "car", "caffè ☕"}),
        ("transitions", "confidence", {None, 0.98, 0.9, 0.85, 0.8, 0.6, 0.5}),
        ("transitions", "utc_offset_min", {0, 60, -210, 330}),
        ("tallies", "measure", {"transitions", "cohort", "dwell", "hour_of_week"}),
        ("tallies", "window", {"minute", "hour", "day", "all"}),
        ("tallies", "kind", {*get_args(Kind), *get_args(Unmatched), None}),
        ("journeys", "record", {"journey", "refund"}),
    ],
)
def test_the_input_has_everything(topic: str, field: str, values: set[Any]) -> None:
    """A change can only be seen where it is shown: each value that a field can have is there."""
    assert values == values & {
        record["value"].get(field) for record in stored(topic) if record["value"] is not None
    }


def test_the_input_has_every_place_to_be() -> None:
    """Each outcome that a need can have is in a record of somebody's needs, and some have two needs."""
    needs = [record["value"]["needs"] for record in stored("current") if record["value"] is not None]
    assert {"converted", "abandoned", "refunded", None} == {
        need["outcome"] for each in needs for need in each
    }
    assert {1, 2} <= {len(each) for each in needs}


def test_the_input_has_every_reason() -> None:
    """Each rejection that a line of JSON can bring about is there, and
    the compacted topics have tombstones.
    """
    elsewhere = {
        Reason.TOO_LARGE,
        Reason.BAD_ROW,
        Reason.TRUNCATED,
    }  # of tables, compressed files and very long lines
    assert {*Reason} - elsewhere == {record["headers"]["reason"] for record in stored("rejected")}
    assert all(
        None in [record["value"] for record in stored(topic)]
        for topic in ("current", "current_devices", "tallies")
    )
