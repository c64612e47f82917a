"""Who had a device, by its links: the code against the oracle, whatever the order in which links come, and
with those dropped that decide nothing.
"""

import os
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.core.identity.links import (
    LINK_QUARTER_MS,
    MAX_LINKS,
    Link,
    Spans,
    has_several_users,
    keep_links_ms,
    moved_from_ms,
    showing_link,
    thinned,
    user_at,
    with_link,
    without_old,
)
from streams.core.journeys.signal import event_ref
from tests import identity_oracle
from tests.identity_oracle import Event

LAW = settings(max_examples=int(os.environ.get("EXAMPLES", "400")), deadline=None)
MINUTE, HOUR = 60_000, 3_600_000
OF = identity_oracle.Settings(forward=3 * HOUR, back=HOUR, shared_above=2)
SPANS = Spans(OF.forward, OF.back, OF.shared_above)
SHORT = Spans(5 * MINUTE, 0, OF.shared_above)  # less than the quarter of an hour in which one link counts
LATENESS_MS = HOUR

# A time, and whose link it is. Gaps meet quarters, back, forward and both together, and lie beside them.
gaps = st.sampled_from(
    (
        0,
        MINUTE,
        5 * MINUTE,
        LINK_QUARTER_MS,
        HOUR // 2,
        HOUR - 1,
        HOUR,
        HOUR + 1,
        2 * HOUR,
        3 * HOUR,
        4 * HOUR + 1,
    )
)
acts = st.lists(st.tuples(gaps, st.sampled_from("abc"), st.sampled_from((0, 0, MINUTE, HOUR))), max_size=30)


def links_of(acts: list[tuple[int, str, int]]) -> list[Link]:
    """The links of a history, in the order of their coming; each comes late by its last number."""
    times = accumulate(gap for gap, _, _ in acts)
    return [
        Link(max(0, at - late), user, event_ref(f"e{n}"))
        for n, (at, (_, user, late)) in enumerate(zip(times, acts, strict=True))
    ]


def told(links: list[Link]) -> list[identity_oracle.Link]:
    """The links that count, by the oracle."""
    events = [Event(link.at_ms, link.event.hex(), link.user, "d", None) for link in links]
    return identity_oracle.links_of(events, "", "d", OF)


def times_near(links: list[Link], spans: Spans = SPANS) -> list[int]:
    """The times at which something may change: around each link, its spans, and half way to others."""
    near = {link.at_ms + d for link in links for d in (0, spans.forward_ms, -spans.back_ms, HOUR // 4)}
    near |= {(one.at_ms + two.at_ms) // 2 for one in links for two in links}
    return sorted({at + beside for at in near for beside in (-1, 0, 1)})


@LAW
@given(acts, st.randoms(use_true_random=False))
def test_who_had_the_device(acts: list[tuple[int, str, int]], rnd: object) -> None:
    """Links in any order, and twice: at any time the user is the oracle's."""
    links = links_of(acts)
    again = [*links, *links]
    rnd.shuffle(again)  # type: ignore[attr-defined]
    held: list[Link] = []
    for link in again:
        found = with_link(held, link)
        held = held if found is None else found[0]
    counting = told(links)
    assert [(link.at, link.user) for link in counting] == [(link.at_ms, link.user) for link in held]
    for at in times_near(links):
        assert user_at(held, at, SPANS) == identity_oracle.user_at(counting, at, OF)


@pytest.mark.parametrize("spans", [SPANS, SHORT], ids=["long", "short"])
@LAW
@given(acts=acts)
# The second link of a quarter comes when the first one decides nothing any more itself.
@example(acts=[(0, "a", 0), (HOUR, "a", 0), (5 * MINUTE, "a", 0), (MINUTE, "a", 0), (MINUTE, "a", HOUR)])
def test_what_is_dropped_decides_nothing(spans: Spans, acts: list[tuple[int, str, int]]) -> None:
    """At any watermark, whatever can still move belongs to the same user as with all links that ever were in
    time: links that are thinned out or too old decide nothing that can move, and hide no link to come.
    """
    change_ms = LATENESS_MS + spans.back_ms
    of = identity_oracle.Settings(spans.forward_ms, spans.back_ms, spans.shared_above)
    held: list[Link] = []
    in_time: list[Link] = []
    watermark_ms = 0
    for link in links_of(acts):
        watermark_ms = max(watermark_ms, link.at_ms)
        if link.at_ms < watermark_ms - LATENESS_MS:
            continue
        in_time.append(link)
        found = with_link(held, link)
        held = held if found is None else found[0]
        held = thinned(held, watermark_ms - LATENESS_MS, spans)
        keep_ms = keep_links_ms(change_ms, spans, several_users=has_several_users(held))
        held = without_old(held, watermark_ms - keep_ms)
        counting = told(in_time)
        for at in times_near(in_time, spans):
            if at >= watermark_ms - change_ms:
                assert user_at(held, at, spans) == identity_oracle.user_at(counting, at, of)


@LAW
@example([(2 * MINUTE, "a", 0), (0, "b", 0), (8 * MINUTE, "a", 0)], [2, 1, 0], SHORT)
@given(acts, st.permutations(range(30)), st.sampled_from((SPANS, SHORT)))
def test_what_a_link_has_shown_stays_shown(
    acts: list[tuple[int, str, int]], order: list[int], spans: Spans
) -> None:
    """In whichever order links come, and though one takes another's place: an event that a link decides has
    its device shown then and later. So which devices are shown depends on no order.
    """
    links = links_of(acts)
    held: list[Link] = []
    shown = set[int]()
    times = times_near(links, spans)
    for link in [links[n] for n in order if n < len(links)]:
        found = with_link(held, link)
        held = held if found is None else found[0]
        shown |= {at for at in times if user_at(held, at, spans)}
        now = {at for at in times if showing_link(held, at, spans) is not None}
        assert shown <= now
        shown = now


@LAW
@given(acts, st.integers(0, 29))
def test_a_link_moves_no_more_than_it_says(acts: list[tuple[int, str, int]], n: int) -> None:
    """Where a link comes that counts, nothing changes hands that is older than back before it or, where few
    users had the device, than the link before it.
    """
    links = links_of(acts)
    if not links:
        return
    last = links.pop(n % len(links))
    held: list[Link] = []
    for link in links:
        found = with_link(held, link)
        held = held if found is None else found[0]
    found = with_link(held, last)
    after, changed_ms = found if found is not None else (held, 0)
    for at in times_near([*links, last]):
        if found is None or at < moved_from_ms(after, changed_ms, SPANS):
            assert user_at(held, at, SPANS) == user_at(after, at, SPANS)


def test_nothing_is_dropped_where_the_device_was_shared() -> None:
    """Three users shared the device, and two of them are long gone at Ann's third link, not at her second:
    what was near to the second is nobody's, so it is not in the middle of a run.
    """
    others = [Link(0, "ben", b""), Link(0, "zoe", b"")]
    anns = [Link(ms, "ann", b"") for ms in (2 * HOUR, 3 * HOUR + HOUR // 2, 4 * HOUR + HOUR // 2)]
    held = thinned([*others, *anns], 9 * HOUR, SPANS)
    at = 3 * HOUR + 35 * MINUTE
    assert user_at(held, at, SPANS) == user_at([*others, *anns], at, SPANS) is None


def test_a_link_counts_for_as_long_as_it_is_kept() -> None:
    """The oldest event that can still move is decided by a link forward before it, at which the device is
    shared because of two users who came back and forward before that.
    """
    change_ms, watermark_ms = LATENESS_MS + SPANS.back_ms, 100 * HOUR
    at = watermark_ms - change_ms
    decided = at - SPANS.forward_ms
    first = decided - SPANS.shared_ms
    links = sorted([Link(first, "ann", b""), Link(first, "ben", b""), Link(decided, "zoe", b"")])
    assert user_at(links, at, SPANS) is None
    assert has_several_users(links)
    held = without_old(links, watermark_ms - keep_links_ms(change_ms, SPANS, several_users=True))
    assert user_at(held, at, SPANS) is None


def test_one_user_of_a_device_has_few_links() -> None:
    """Whoever is signed in on their own device all the time for a quarter of a year has links of the time in
    which one may still be late, and a few before: the cap is not for them.
    """
    spans, day = Spans(), 24 * HOUR
    keep_ms = keep_links_ms(9 * day, spans, several_users=False)
    held: list[Link] = []
    most = 0
    for at in range(0, 92 * day, LINK_QUARTER_MS):
        found = with_link(held, Link(at, "ann", b""))
        assert found is not None
        held = without_old(thinned(found[0], at - 2 * day, spans), at - keep_ms)
        most = max(most, len(held))
    assert most == 2 * day // LINK_QUARTER_MS + 1 + 3
    assert most < MAX_LINKS


@pytest.mark.parametrize("users", [5, 6])
def test_more_than_five_users_share_a_device(users: int) -> None:
    """By default five users are a family, and six are the public."""
    held = [Link(n * HOUR, f"u{n}", b"") for n in range(users)]
    assert user_at(held, users * HOUR, Spans()) == (None if users > 5 else "u4")
