"""When a worker does what. These are its decisions, without a clock and without waiting, so that a test can
ask them about any moment.

All times are seconds of one clock that never goes back.
"""

from typing import NamedTuple

from streams.core.processing.committed import Committed
from streams.runtime.group import GroupMembership

# After a death: a fenced agent should be back at once, and a broker that is away is asked every few seconds.
FIRST_DELAY_S, LONGEST_DELAY_S = 0.05, 5.0
# An agent with nothing to write commits this often all the same: a commit is how it learns that it was
# replaced, and how the time that has passed is written down.
CHECKPOINT_EVERY_S = 5.0
IDLE_POLL_S = 0.05  # between reads of a log that answers at once that it has nothing
QUICK_S = 0.005  # an answer sooner than this was "at once": brokers hold theirs back for longer
LEAST_FOLD_S = 0.05  # a batch that folds for less costs more in its transaction than it saves
# How long an agent folds before the others of its process, and the clients of the broker, get their turn.
TURN_S = 0.01
# Between two commits of one process: each costs it and the brokers some 2 ms, whatever it contains.
SPACING_S = 0.005
FUNNEL_EVERY_S = 1.0  # between two writes of the funnel: a dashboard is looked at no more often
# The same while the worker is behind. The counters of a backlog change with each batch, so a write each
# second would write most totals again and again, at a tenth of the whole cost.
FUNNEL_BEHIND_S = 30.0
ACTIVE_S = 1.0  # a partition that committed records less than this ago is at work
# Shares of the grace time: agents work on until the first, and finish their batches until the second.
WORKING_SHARE, CLOSING_SHARE = 0.5, 0.75


def may_open(group: GroupMembership, partition: int, *, died_s: float | None) -> bool:
    """Whether an agent of a partition may be opened now. `died_s`: when one died before; None: none did.

    Opening an agent fences the partition's owner. A worker that was away for too long finds its agents fenced
    before it learns that the group took it for dead, and would fence the new owner in turn. So the group must
    have confirmed the membership after the death.
    """
    assignment = group.assignment
    return (
        assignment.joined
        and partition in assignment.partitions
        and (died_s is None or group.confirmed_s > died_s)
    )


def commit_interval_s(shortest_s: float, active: int) -> float:
    """The time between two commits of one partition while so many partitions of this process are at work.

    With many of them, batches become larger instead of commits more frequent: otherwise a process of 64
    partitions would do nothing but commit.
    """
    return max(shortest_s, active * SPACING_S)


def rest_s(step: Committed, *, took_s: float, interval_s: float) -> float:
    """How long to rest after a step that took so long, so that commits keep their distance.

    The distance is measured from beginning to beginning: so a large batch loses no time, and the first record
    after an idle time waits for nobody.
    """
    if step.written:
        return max(0.0, interval_s - took_s)
    if not step.records and not step.more and took_s < QUICK_S:
        return IDLE_POLL_S
    return 0.0


def fold_budget_s(budget_s: float, agents: int) -> float:
    """How long one batch may fold while so many agents are open in one process.

    All of them may be behind at the same moment, and a partition that moves, or a worker that stops, waits
    for the batch under way.
    """
    return max(LEAST_FOLD_S, budget_s / max(agents, 1))


def may_write_funnel(waited_s: float, behind: bool) -> bool:
    """Whether the funnel may be written so long after the last write began. `behind`: the worker has more to
    read now.
    """
    return waited_s >= (FUNNEL_BEHIND_S if behind else FUNNEL_EVERY_S)


class StopTimes(NamedTuple):
    """When a worker that was asked to stop does what, in seconds from then."""

    working_s: float  # agents work on until then, or until another worker has taken over
    # Agents may finish the batch that they are in until then. What is not done is dropped, and done again by
    # the next owner.
    closing_s: float
    ended_s: float


def stop_times(*, grace_s: float, session_s: float, others_take_over: bool) -> StopTimes:
    """`others_take_over`: the group has other members, to whom the partitions go.

    They learn of it within a heartbeat, and open the partitions when the last of them has joined the
    rebalance: within a session at most.
    """
    working_s = min(session_s, WORKING_SHARE * grace_s) if others_take_over else 0.0
    return StopTimes(working_s=working_s, closing_s=CLOSING_SHARE * grace_s, ended_s=grace_s)
