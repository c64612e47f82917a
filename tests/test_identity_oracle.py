"""The oracle of identity: against the stories worked out by hand, and what must be true of it whatever it is
asked.
"""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import identity_oracle, oracle
from tests.golden.identity import IdentityStory, identity_stories
from tests.identity_oracle import QUARTER, Event, Link, Settings
from tests.oracle import MINUTE, Signal

STORIES = identity_stories()
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
law = settings(deadline=None)

OF = Settings(forward=120 * MINUTE, back=60 * MINUTE, shared_above=2)
# On and beside the edges of quarters, of back and of forward, and half way between two links.
EDGES_MS = [q * QUARTER + m * MINUTE for q in range(16) for m in (0, 7)]
TIMES_MS = sorted({max(0, edge + beside) for edge in EDGES_MS for beside in (-1, 0, 1)})


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Up to 14 events of three users on two devices, in any order; few ids, so copies are common."""
    found = []
    for _ in range(draw(st.integers(0, 14))):
        at, name = draw(st.sampled_from(TIMES_MS)), draw(st.sampled_from("abcdefghij"))
        user = draw(st.sampled_from((None, None, "ann", "ben", "zoe")))
        device = draw(st.sampled_from(("phone", "desk") if user is None else (None, "phone", "desk")))
        mark = draw(st.sampled_from((0, 1, 2, 3, 4)))
        says_nothing = user is not None and draw(st.booleans())
        signal = None if says_nothing else Signal(at, name, mark, True, 0, 0, 0, ("",), None)
        tenant = draw(st.sampled_from(("", "", "north")))
        links = user is None or draw(st.sampled_from((True, True, True, False)))
        found.append(Event(at, name, user, device, signal, tenant, links))
    return found


@each_story
def test_stories(story: IdentityStory) -> None:
    """The oracle gives each profile of a story exactly what was worked out, and no other has a journey."""
    found = identity_oracle.profiles(story.events, story.settings)
    assert {key for key in found if oracle.journeys(found[key], story.timer)} == {
        key for key, told in story.profiles.items() if told.journeys
    }
    for key, told in story.profiles.items():
        assert told.steps == oracle.transitions(found[key], story.timer)
        assert told.journeys == oracle.journeys(found[key], story.timer)
        assert told.unmatched == oracle.unmatched(found[key], story.timer)
        assert told.cues == oracle.cues(found[key])


def test_no_two_stories_have_one_title() -> None:
    """There are as many titles as stories."""
    assert len(STORIES) == len({story.title for story in STORIES})


@law
@given(histories())
def test_every_event_is_in_exactly_one_profile(events: list[Event]) -> None:
    """Each event with a signal, told apart by its user or device and its id, is in one profile, once."""
    names = {
        (e.tenant, e.user, e.device if e.user is None else None, e.id) for e in events if e.signal is not None
    }
    told = identity_oracle.owned(events, OF)
    assert len(names) == len(told)
    found = identity_oracle.profiles(events, OF)
    assert len(told) == sum(len(signals) for signals in found.values())
    for signals in found.values():
        assert len({s.event for s in signals}) == len(signals)


@law
@given(histories())
def test_whose_id_an_event_carries_has_it(events: list[Event]) -> None:
    """An event with a user is in that user's profile; one without is its device's, or of a user with a link
    on that device within forward before or back after.
    """
    for (tenant, profile), e in identity_oracle.owned(events, OF):
        assert tenant == e.tenant
        if e.user is not None:
            assert profile == f"u:{e.user}"
        elif profile != f"d:{e.device}":
            assert e.signal is not None
            at = e.signal.at
            assert any(
                x.links and (x.tenant, x.device, f"u:{x.user}") == (tenant, e.device, profile)
                and at - OF.forward <= x.at <= at + OF.back
                for x in events
            )  # fmt: skip


@law
@given(histories(), st.randoms(use_true_random=False))
def test_only_the_set_counts(events: list[Event], rnd: random.Random) -> None:
    """Another order of arrival and copies sent again change nothing."""
    again = events + [e for e in events if rnd.random() < 0.3]
    rnd.shuffle(again)
    assert _sorted(identity_oracle.profiles(events, OF)) == _sorted(identity_oracle.profiles(again, OF))


@law
@given(histories(), st.data())
def test_a_removed_link_was_never_there(events: list[Event], data: st.DataObject) -> None:
    """An event that is no link gives what the history without it gives, but for its own signal."""
    carrying = [n for n, e in enumerate(events) if e.user is not None and e.device is not None]
    if not carrying:
        return
    n = data.draw(st.sampled_from(carrying))
    silenced = [e._replace(links=False, signal=None) if i == n else e for i, e in enumerate(events)]
    without = events[:n] + events[n + 1 :]
    assert _sorted(identity_oracle.profiles(without, OF)) == _sorted(identity_oracle.profiles(silenced, OF))


@law
@given(histories())
def test_a_tenant_has_nothing_to_do_with_another(events: list[Event]) -> None:
    """Each tenant's profiles are those of its own events alone."""
    together = identity_oracle.profiles(events, OF)
    for tenant in ("", "north"):
        alone = identity_oracle.profiles([e for e in events if e.tenant == tenant], OF)
        assert {key: signals for key, signals in together.items() if key[0] == tenant} == alone


@law
@given(histories())
def test_without_identity_every_profile_is_its_own(events: list[Event]) -> None:
    """With identity off each event is its user's or else its device's, under its own id."""
    for (_, profile), e in identity_oracle.owned(events, OF._replace(on=False)):
        assert profile == (f"u:{e.user}" if e.user is not None else f"d:{e.device}")
        assert identity_oracle.name_in(("", profile), e) == e.id


@law
@given(st.lists(st.tuples(st.sampled_from(TIMES_MS), st.sampled_from("abcd")), max_size=8), st.data())
def test_a_link_moves_nothing_older_than_back_before_it(
    links: list[tuple[int, str]], data: st.DataObject
) -> None:
    """One link more, and whoever had the device longer than back before it still had it: so what is older
    than the horizon is final. And nothing moves later than back and twice forward after it.
    """
    at, user = data.draw(st.tuples(st.sampled_from(TIMES_MS), st.sampled_from("abcd")))
    before = [Link(then, who, "") for then, who in links]
    after = [*before, Link(at, user, "")]
    for s in TIMES_MS:
        if s < at - OF.back or s > at + OF.back + 2 * OF.forward:
            assert identity_oracle.user_at(before, s, OF) == identity_oracle.user_at(after, s, OF)


@law
@given(st.lists(st.tuples(st.sampled_from(TIMES_MS), st.sampled_from("abcdefgh")), max_size=10))
def test_the_nearer_link_decides(links: list[tuple[int, str]]) -> None:
    """On a device that is never shared no link is nearer than those of the user who has an event, but a later
    one at the same distance.
    """
    calm = OF._replace(shared_above=100)
    told = [Link(at, user, "") for at, user in links]
    for s in TIMES_MS:
        user = identity_oracle.user_at(told, s, calm)
        within = [x for x in told if s - OF.forward <= x.at <= s + OF.back]
        assert (user is None) == (not within)
        if user is not None:
            mine = min(abs(x.at - s) for x in within if x.user == user)
            assert mine == min(abs(x.at - s) for x in within)


def _sorted(profiles: dict[tuple[str, str], list[Signal]]) -> dict[tuple[str, str], list[Any]]:
    return {key: sorted(signals) for key, signals in profiles.items()}
