"""The oracle against the journeys worked out by hand.

Where they differ, docs/journeys.md decides which is wrong.
"""

import pytest

from tests import oracle
from tests.golden import Story, stories

STORIES = stories()
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])


@each_story
def test_steps(story: Story) -> None:
    """The oracle says exactly the steps of the story, in their order."""
    assert story.steps == oracle.transitions(story.signals, story.timer)


@each_story
def test_journeys(story: Story) -> None:
    """The oracle's journeys stand as the story says."""
    assert story.journeys == oracle.journeys(story.signals, story.timer)


@each_story
def test_unmatched(story: Story) -> None:
    """The oracle finds no purchase for exactly the refunds that the story names."""
    assert story.unmatched == oracle.unmatched(story.signals, story.timer)


@each_story
def test_cues(story: Story) -> None:
    """The oracle tells the cues of the story, and of the same journeys."""
    assert story.cues == oracle.cues(story.signals)


def test_every_kind_is_told() -> None:
    """Each kind of transition occurs in a story, and no two stories have one title."""
    kinds = {
        "opened",
        "advanced",
        "returned",
        "stalled",
        "resumed",
        "converted",
        "abandoned",
        "partially_refunded",
        "refunded",
    }
    assert kinds == {step.kind for story in STORIES for step in story.steps}
    assert len(STORIES) == len({story.title for story in STORIES})
