"""The stories of redriven events that were worked out by hand, told by the product itself."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.core.funnels.windows import Windows
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.folding import FINAL
from streams.core.journeys.population import Population
from streams.core.journeys.redriving import redrive_event
from tests import golden, oracle
from tests.core.journeys.test_golden import as_read
from tests.laws.driving import Said, patience, put, signal_of

ALLOWED_LATENESS_MS = 48 * oracle.HOUR
FILE = Path(golden.__file__).with_name("redriven.toml")
STORIES = tomllib.loads(FILE.read_text("utf-8"))["story"]
ORDERS: list[Callable[[list[dict[str, str]]], list[dict[str, str]]]] = [list, lambda rows: rows[::-1]]


@pytest.mark.parametrize("arrival", ORDERS, ids=["as told", "backwards"])
@pytest.mark.parametrize("story", STORIES, ids=[story["title"] for story in STORIES])
def test_the_product_tells_the_story(
    story: dict[str, str], arrival: Callable[[list[dict[str, str]]], list[dict[str, str]]]
) -> None:
    """Each redriven event ends as it should, and what stands is what was worked out by hand."""
    told = golden.story_of({k: v for k, v in story.items() if k not in ("watermark", "redriven")})
    population, said = Population(patience(oracle.DEFAULTS), FinalityDelay(ALLOWED_LATENESS_MS)), Said()
    for s in told.signals:
        put(population, "p", as_read(s))
    population.watermark_ms = golden.time_of(story["watermark"])

    def let_time_pass() -> None:
        assert population.advance(population.watermark_ms - 1, 10**9)
        said.hear(population, Windows())
        population.housekeep(10**9)
        population.commit()

    is_held = False
    for row in arrival(golden.rows_of(story["redriven"], golden.EVENT_COLUMNS | {"ends"})):
        let_time_pass()
        ends = row["ends"]
        s = golden.signal_of({name: cell for name, cell in row.items() if name != "ends"})
        found = redrive_event(population, "p", signal_of(as_read(s)))
        assert (ends == "final") == (found.outcome == FINAL)
        assert found.is_new == (ends == "new" and not is_held)
        is_held = True
    let_time_pass()
    assert {("p", step) for step in told.steps} == said.steps()
