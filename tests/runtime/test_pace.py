"""A worker's decisions, at moments that no test would wait for."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.processing.committed import Committed
from streams.runtime.group import Assignment, GroupMembership
from streams.runtime.pace import (
    FUNNEL_BEHIND_S,
    FUNNEL_EVERY_S,
    IDLE_POLL_S,
    LEAST_FOLD_S,
    commit_interval_s,
    fold_budget_s,
    may_open,
    may_write_funnel,
    rest_s,
    stop_times,
)
from tests.telemetry.steps import step as made_step

INTERVAL_S = 0.05


class Confirmed(GroupMembership):
    """A membership at one moment."""

    def __init__(
        self,
        *,
        joined: bool = True,
        partitions: Collection[int] = (3,),
        assigned_s: float = 10.0,
        heartbeat_s: float = 10.0,
    ) -> None:
        super().__init__()
        self.assignment = Assignment(joined, frozenset(partitions), assigned_s)
        self._heartbeat_s = heartbeat_s

    @property
    def heartbeat_s(self) -> float:
        return self._heartbeat_s

    async def join(self) -> None: ...

    async def leave(self) -> None: ...

    def show_alive(self) -> None: ...


@pytest.mark.parametrize(
    ("group", "died_s", "may"),
    [
        (Confirmed(), None, True),
        (Confirmed(joined=False), None, False),
        (Confirmed(partitions=[4]), None, False),
        # Assigned anew, but to others: the worker has not come to see it yet.
        (Confirmed(assigned_s=20.1, partitions=[4]), 20.0, False),
        (Confirmed(), 20.0, False),  # not confirmed since
        (Confirmed(heartbeat_s=20.5), 20.0, True),  # still a member
        (Confirmed(heartbeat_s=19.9), 20.0, False),  # was one when the heartbeat was sent, which was before
        (Confirmed(assigned_s=20.1), 20.0, True),  # assigned anew
        (Confirmed(joined=False, heartbeat_s=20.5), 20.0, False),  # revoked: being assigned anew
    ],
)
def test_an_agent_is_opened_when_the_group_confirmed_the_membership_after_the_death(
    group: GroupMembership, died_s: float | None, may: bool
) -> None:
    """A worker that was away for too long is fenced before it learns
    why, and must not fence the new owner.
    """
    assert may is may_open(group, 3, died_s=died_s)


@pytest.mark.parametrize(
    ("step", "took_s", "rest"),
    [
        (made_step(records=100), 0.01, 0.04),  # under load: the shortest time between two commits
        (made_step(records=5_000), 0.3, 0.0),  # a large batch took longer than that
        # The broker held its answer back: ask again at once, so that a first record waits for nobody.
        (made_step(written=False), 0.1, 0.0),
        # A log that answers at once must not be asked without end.
        (made_step(written=False), 0.0, IDLE_POLL_S),
        (made_step(written=False, more=True), 0.0, 0.0),  # there is nothing to read, but much to do
        (made_step(more=True), 0.01, 0.04),  # that is committed in pieces, which are commits like others
    ],
)
def test_how_long_an_agent_rests(step: Committed, took_s: float, rest: float) -> None:
    """It depends on what its last step did."""
    assert rest == pytest.approx(rest_s(step, took_s=took_s, interval_s=INTERVAL_S))


@pytest.mark.parametrize(("active", "interval_ms"), [(0, 50), (1, 50), (10, 50), (16, 80), (64, 320)])
def test_many_partitions_commit_more_rarely(active: int, interval_ms: int) -> None:
    """A process makes a bounded number of commits a second; the setting is the shortest interval."""
    assert interval_ms / 1000 == pytest.approx(commit_interval_s(INTERVAL_S, active))


@given(st.floats(0.001, 10), st.integers(0, 1_024))
def test_batches_of_many_agents_are_shorter(budget_s: float, agents: int) -> None:
    """Together the agents fold for the budget, unless that would make batches tiny."""
    each_s = fold_budget_s(budget_s, agents)
    assert each_s >= LEAST_FOLD_S
    assert each_s == LEAST_FOLD_S or each_s * max(agents, 1) == pytest.approx(budget_s)


@given(st.floats(0.1, 300), st.floats(0.1, 300), st.booleans())
def test_stopping_takes_no_longer_than_the_grace_time(
    grace_s: float, session_s: float, others_take_over: bool
) -> None:
    """A worker works, then closes, then gives up, in this order; it works on only if others take over."""
    times = stop_times(grace_s=grace_s, session_s=session_s, others_take_over=others_take_over)
    assert 0 <= times.working_s <= times.closing_s <= times.ended_s == grace_s
    assert times.working_s <= session_s
    assert others_take_over or times.working_s == 0


@pytest.mark.parametrize(
    ("waited_s", "behind", "may"),
    [
        (FUNNEL_EVERY_S - 0.001, False, False),
        (FUNNEL_EVERY_S, False, True),
        (FUNNEL_EVERY_S, True, False),
        (FUNNEL_BEHIND_S - 0.001, True, False),
        (FUNNEL_BEHIND_S, True, True),
    ],
)
def test_the_funnel_is_written_more_rarely_behind(waited_s: float, behind: bool, may: bool) -> None:
    """Under a backlog the writer must cost little; it never stops."""
    assert may == may_write_funnel(waited_s, behind)
