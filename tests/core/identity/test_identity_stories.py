"""The stories of one person over several devices that were worked out by hand, told by the product itself."""

import random
from collections.abc import Callable

import pytest

from streams.core.journeys.signal import order_ref
from tests import oracle
from tests.golden.identity import IdentityStory, identity_stories
from tests.identity_oracle import Event
from tests.laws.driving import FOREVER
from tests.laws.identity_driving import House, profile_name

STORIES = identity_stories()
Events = list[Event]


def shuffled(events: Events) -> Events:
    return random.Random(7).sample(events, len(events))


ORDERS: list[Callable[[Events], Events]] = [
    list,
    lambda events: events[::-1],
    shuffled,
    lambda events: events + shuffled(events),
]


def as_read(e: Event) -> Event:
    """As the pipeline hands events in: orders by what stands for them, only where they mean something."""
    if e.signal is None:
        return e
    order = e.signal.order
    stands = order_ref(order).hex() if order is not None and e.signal.mark >= oracle.BUY else None
    needs = ("*",) if oracle.everywhere(e.signal) else e.signal.needs
    return e._replace(signal=e.signal._replace(order=stands, needs=needs))


@pytest.mark.parametrize("one_batch", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize("arrival", ORDERS, ids=["as told", "backwards", "shuffled", "twice"])
@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_product_tells_the_story(
    story: IdentityStory, arrival: Callable[[Events], Events], one_batch: bool
) -> None:
    """Whatever the order of arrival, and wherever batches end, what stands of each profile is what was worked
    out by hand.
    """
    back = story.settings.back if story.settings.on else 0
    house = House(story.settings._replace(back=back), oracle.DEFAULTS, FOREVER)
    for e in arrival(story.events):
        house.put(as_read(e))
        if not one_batch:
            house.end_batch()
    house.end_batch()
    house.time(story.timer)
    house.said.hear(house.population, house.windows)
    told = {profile_name(*key): told for key, told in story.profiles.items()}
    assert {(key, step) for key, of in told.items() for step in of.steps} == house.said.steps()
    assert {(key, lost) for key, of in told.items() for lost in of.unmatched} == house.said.unmatched()
    assert {(key, cue) for key, of in told.items() for cue in of.cues} == house.said.cues()


def test_a_moved_step_tells_where_its_event_was() -> None:
    """The record of a step that moves names the other profile: of what a device loses the user, of what the
    user gets the device; and the event is found under the id that the device gave it.
    """
    story = next(story for story in STORIES if story.title == "A guest signs in at the till")
    house = House(story.settings, oracle.DEFAULTS, FOREVER)
    for e in story.events:
        house.put(as_read(e))
        if e.id == "cart":
            house.end_batch()
            assert {change.moved_from for change in house.population.changes} == {None}
            house.said.hear(house.population, house.windows)
    house.end_batch()
    moved = [change for change in house.population.changes if change.moved_from is not None]
    assert {(change.profile.key, change.moved_from) for change in moved} == {
        ("d:phone", "u:ann"),
        ("u:ann", "d:phone"),
    }
