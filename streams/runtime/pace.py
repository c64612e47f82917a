"""When a worker does what: its decisions, without a clock and without waiting, so that a test can ask them about any moment.

All times are seconds of one clock that never goes back.
"""

from typing import NamedTuple, Protocol

FIRST_DELAY_S, LONGEST_DELAY_S = (
    0.05,
    5.0,
)  # a fenced agent should be back at once; a broker that is away is asked every few seconds
CHECKPOINT_EVERY_S = 5.0  # an agent with nothing to say commits all the same: only then it learns that it was replaced, or that time has passed
POLL_S = 0.05  # between looks at a log that answers at once that there is nothing
QUICK_S = 0.005  # an answer sooner than this was at once: brokers hold theirs back for longer
HELD_S = 2.0  # all agents of a process together, between two turns of anybody: a fraction of what requests and transactions may take
EVENT_S = 30e-6  # an event's share of a step on a slow machine
SPACING_S = 0.005  # between two commits of one process: each costs it some 2 ms whatever is in it, and the brokers about as much
ACTIVE_S = 1.0  # a partition that committed records this long ago is at work
LEAST_BATCH = 200  # below this a transaction costs more than what is in it
WORKING_SHARE, CLOSING_SHARE = (
    0.5,
    0.75,
)  # of the time to stop: until then agents work on; until then they may finish what they are in


class Group(Protocol):
    """What is asked of the group to see whether a partition may be opened."""

    @property
    def joined(self) -> bool: ...  # it has given out its partitions, and has not taken them back since
    @property
    def partitions(self) -> frozenset[int]: ...  # which it gave to us
    @property
    def assigned_s(self) -> float: ...  # when it gave them out
    @property
    def heard_s(self) -> float: ...  # when the last heartbeat that it has acknowledged was sent


def may_open(group: Group, partition: int, died_s: float | None) -> bool:
    """Whether an agent of a partition may be opened now, after one died then (None: there was none).

    Opening fences whoever has the partition. A worker that was away for too long finds its agents fenced before it hears that it was taken for
    dead, and would fence the new owner in turn. So there must be word from the group that is newer than the death.
    """
    return (
        group.joined
        and partition in group.partitions
        and (died_s is None or max(group.assigned_s, group.heard_s) > died_s)
    )


class Turn(NamedTuple):
    """What a step came to."""

    took_s: float
    records: int
    committed: bool
    busy: bool  # time has passed further than one batch could follow


def interval_s(shortest_s: float, active: int) -> float:
    """Between two commits of one partition, while so many partitions of this process are at work.

    With many of them, batches become larger instead of commits more frequent: or a process of 64 partitions would do nothing but commit.
    """
    return max(shortest_s, active * SPACING_S)


def rest_s(turn: Turn, interval_s: float) -> float:
    """How long to rest after a step: what is missing to the shortest time between two commits.

    Measured from beginning to beginning: large batches lose nothing by it, and a first record after quiet waits for nobody.
    """
    if turn.committed:
        return max(0.0, interval_s - turn.took_s)
    if not turn.records and not turn.busy and turn.took_s < QUICK_S:
        return POLL_S
    return 0.0


def largest_batch(batch: int, agents: int) -> int:
    """Of so many agents in one process: all of them may come to fold at the same moment, and meanwhile nobody hears a broker."""
    return max(min(batch, LEAST_BATCH), min(batch, int(HELD_S / EVENT_S / max(agents, 1))))


class Stopping(NamedTuple):
    """When a worker that is told to stop does so, seconds from then."""

    working: float  # agents work on, for as long as nobody has taken over, until
    closing: float  # they may finish the batch that they are in until; what is not done then is dropped, and done again by the next owner
    ended: float


def stopping(grace_s: float, session_s: float, forwarded: bool) -> Stopping:
    """`handed_over`: others are there, to whom the partitions go.

    They learn of it within a heartbeat, and open as soon as the last of them has said that it is there: a session at most.
    """
    return Stopping(
        min(session_s, WORKING_SHARE * grace_s) if forwarded else 0.0, CLOSING_SHARE * grace_s, grace_s
    )
