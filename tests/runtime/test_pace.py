"""A worker's decisions, asked at moments that nobody would like to wait for."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.pace import (
    EVENT_S,
    HELD_S,
    LEAST_BATCH,
    POLL_S,
    Turn,
    interval_s,
    largest_batch,
    may_open,
    rest_s,
    stopping,
)

INTERVAL_S = 0.05


class Heard(NamedTuple):
    """What the group said, and when."""

    joined: bool = True
    partitions: frozenset[int] = frozenset({3})
    assigned_s: float = 10.0
    heard_s: float = 10.0


@pytest.mark.parametrize(
    ("group", "died_s", "may"),
    [
        (Heard(), None, True),
        (Heard(joined=False), None, False),
        (Heard(partitions=frozenset({4})), None, False),
        (
            Heard(assigned_s=20.1, partitions=frozenset({4})),
            20.0,
            False,
        ),  # given anew, but to others: the worker has not come to see it yet
        (Heard(), 20.0, False),  # nothing was heard since
        (Heard(heard_s=20.5), 20.0, True),  # still a member
        (Heard(heard_s=19.9), 20.0, False),  # was one when the heartbeat went out, which was before
        (Heard(assigned_s=20.1), 20.0, True),  # given anew
        (Heard(joined=False, heard_s=20.5), 20.0, False),  # being given out anew
    ],
)
def test_an_agent_is_opened_on_word_that_is_newer_than_the_death(
    group: Heard, died_s: float | None, may: bool
) -> None:
    """A worker that was away too long is fenced before it hears why, and must not fence the new owner in turn."""
    assert may is may_open(group, 3, died_s)


@pytest.mark.parametrize(
    ("turn", "rest"),
    [
        (Turn(0.01, 100, True, False), 0.04),  # under load: the shortest time between two commits
        (Turn(0.3, 5_000, True, False), 0.0),  # a large batch took longer than that
        (
            Turn(0.1, 0, False, False),
            0.0,
        ),  # the broker has held its answer back: ask again at once, a first record waits for nobody
        (Turn(0.0, 0, False, False), POLL_S),  # a log that answers at once must not be asked without end
        (Turn(0.0, 0, False, True), 0.0),  # nothing to read, but much to do
        (Turn(0.01, 0, True, True), 0.04),  # that is committed in pieces, which are commits like others
    ],
)
def test_how_long_an_agent_rests(turn: Turn, rest: float) -> None:
    """By what its last step came to."""
    assert rest == pytest.approx(rest_s(turn, INTERVAL_S))


@pytest.mark.parametrize(("active", "interval_ms"), [(0, 50), (1, 50), (10, 50), (16, 80), (64, 320)])
def test_many_partitions_commit_more_rarely(active: int, interval_ms: int) -> None:
    """A process makes so many commits a second and no more, however many partitions it has; the setting is the least."""
    assert interval_ms / 1000 == pytest.approx(interval_s(INTERVAL_S, active))


@given(st.integers(1, 50_000), st.integers(0, 1_024))
def test_batches_of_many_agents_are_smaller(batch: int, agents: int) -> None:
    """Within the setting; all agents' together hold the loop for a bounded time, unless that would make batches of nothing."""
    largest = largest_batch(batch, agents)
    assert 1 <= largest <= batch
    assert largest * agents * EVENT_S <= HELD_S or largest == min(batch, LEAST_BATCH)


@given(st.floats(0.1, 300), st.floats(0.1, 300), st.booleans())
def test_stopping_takes_no_longer_than_the_grace_time(
    grace_s: float, session_s: float, forwarded: bool
) -> None:
    """Work, then close, then give up, in this order; no work when nobody takes over."""
    times = stopping(grace_s, session_s, forwarded)
    assert 0 <= times.working <= times.closing <= times.ended == grace_s
    assert times.working <= session_s
    assert forwarded or times.working == 0
