"""The shipped rules on labelled pages of shops, banks, insurers and others, in three languages."""

import csv
from pathlib import Path

import pytest

from streams.core.ingest.event import Event
from streams.core.moments.verdict import INTENTS
from tests.core.moments.examples import SHIPPED, event

ROWS = Path(__file__).parents[2] / "moments_data/pages.tsv"


def _rows(split: str) -> list[tuple[Event, frozenset[str]]]:
    with ROWS.open(encoding="utf-8", newline="") as file:
        return [
            (event("", "page", context={"page": {"path": row["text"]}}), frozenset(row["moment"].split("/")))
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if row["split"] == split
        ]


@pytest.mark.parametrize("split", ["tune", "held"])
def test_pages_of_many_systems(split: str) -> None:
    """Nine of ten pages are right, two of a hundred are wrong and sure at most, and no truth is false."""
    rows = _rows(split)
    verdicts = [(SHIPPED(seen), labels) for seen, labels in rows]
    said = [
        (INTENTS[verdict.intent] if verdict is not None and verdict.sure else "none", labels)
        for verdict, labels in verdicts
    ]
    assert len(rows) > 150
    assert not [labels for moment, labels in said if moment == "truth" and moment not in labels]
    assert sum(moment in labels for moment, labels in said) >= 0.9 * len(rows)
    assert sum(moment not in labels and moment != "none" for moment, labels in said) <= 0.02 * len(rows)
