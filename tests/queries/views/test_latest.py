"""The latest moves: what holds, the newest first, bounded."""

import json
from pathlib import Path
from typing import Any

import schemas
from streams.queries.views.latest import LATEST_MOVES, LatestMoves

STEP = json.loads((Path(schemas.__file__).parent / "examples" / "transitions.json").read_text())[0]


def apply(view: LatestMoves, name: str, second: int, **changes: Any) -> None:
    at = f"2026-03-02T18:{second // 60:02d}:{second % 60:02d}.000Z"
    record = STEP | {"id": name, "op": "assert", "at": at} | changes
    view.apply("transitions", b"4711", json.dumps(record).encode())


def test_the_newest_come_first() -> None:
    """By the time of the step, not by when it was published."""
    view = LatestMoves()
    for name, second in (("a", 5), ("b", 9), ("late", 2)):
        apply(view, name, second)
    assert ["b", "a", "late"] == [step.id for step in view.latest()]
    assert ["b"] == [step.id for step in view.latest(1)]


def test_what_is_taken_back_goes() -> None:
    """And comes back if it is asserted again."""
    view = LatestMoves()
    apply(view, "a", 1)
    apply(view, "b", 2)
    apply(view, "b", 2, op="retract")
    assert ["a"] == [step.id for step in view.latest()]
    apply(view, "b", 3)
    assert ["b", "a"] == [step.id for step in view.latest()]


def test_it_is_bounded() -> None:
    """However many steps come, it keeps the newest of them."""
    view = LatestMoves()
    for second in range(7 * LATEST_MOVES):
        apply(view, f"s{second}", second)
        view.apply("cues", b"4711", b"{}")
    newest = range(7 * LATEST_MOVES - 1, 6 * LATEST_MOVES - 1, -1)
    assert [f"s{second}" for second in newest] == [step.id for step in view.latest()]
