"""The stories that were worked out by hand, told by the product itself."""

import random
from collections.abc import Callable

import pytest

from streams.core.funnels.windows import Windows
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.population import Population
from streams.core.journeys.signal import order_ref
from tests import oracle
from tests.golden import Story, stories
from tests.laws.driving import FOREVER, Said, patience, put

STORIES = stories()
Signals = list[oracle.Signal]


def shuffled(signals: Signals) -> Signals:
    return random.Random(7).sample(signals, len(signals))


ORDERS: list[Callable[[Signals], Signals]] = [
    list,
    lambda signals: signals[::-1],
    shuffled,
    lambda signals: signals + shuffled(signals),
]


def as_read(s: oracle.Signal) -> oracle.Signal:
    """As the pipeline hands signals in: orders by what stands for them, only where they mean something."""
    return s._replace(
        order=order_ref(s.order).hex() if s.order is not None and s.mark >= oracle.BUY else None
    )


@pytest.mark.parametrize("arrival", ORDERS, ids=["as told", "backwards", "shuffled", "twice"])
@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_product_tells_the_story(story: Story, arrival: Callable[[Signals], Signals]) -> None:
    """Whatever the order of arrival, the steps and unmatched refunds that
    stand are those that were worked out by hand.
    """
    population, said = Population(patience(oracle.DEFAULTS), FinalityDelay(FOREVER)), Said()
    for s in arrival(story.signals):
        put(population, "p", as_read(s))
    population.advance(story.timer, 10**9)
    said.hear(population, Windows())
    assert {("p", step) for step in story.steps} == said.steps()
    assert {("p", refund) for refund in story.unmatched} == said.unmatched()
    assert {("p", cue) for cue in story.cues} == said.cues()
