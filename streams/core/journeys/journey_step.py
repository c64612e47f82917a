"""One step of a journey, as the machine makes it: what kind of step, when, why, and where it led.

A published step is a transition. A step holds nothing that depends on other journeys or on the order of
arrival. So two folds of one set of signals give equal steps, and a correction is the difference of two lists.
"""

from enum import IntEnum

import msgspec

from streams.core.moments.verdict import NO_CUE


class StepKind(IntEnum):
    """What a step is. The numbers are part of the counters' keys in the state, so they stay as they are."""

    OPENED = 2
    ADVANCED = 3
    RETURNED = 4
    CONVERTED = 5
    STALLED = 7
    RESUMED = 8
    ABANDONED = 9
    REFUNDED = 10
    # What found no purchase is counted, and never published.
    REFUND_UNMATCHED = 11
    UPDATE_UNMATCHED = 12  # an update of an order that is not known
    PARTIALLY_REFUNDED = 13
    # An entry in a list of steps, never counted or published: a `converted` step with these fields holds no
    # longer, since a truth that joined has stated another amount. The step that holds comes next.
    WITHDRAWN = 14
    CUE = 15  # what happened inside a moment; without a journey it is unmatched: counted, never published


# Plain numbers for the hot loop, where looking up a member of an enum would cost as much as the comparison.
(
    OPENED, ADVANCED, RETURNED, CONVERTED, STALLED, RESUMED, ABANDONED, REFUNDED, REFUND_UNMATCHED,
    UPDATE_UNMATCHED, PARTIALLY_REFUNDED, WITHDRAWN, CUE,
) = (kind.value for kind in StepKind)  # fmt: skip
UNMATCHED = (REFUND_UNMATCHED, UPDATE_UNMATCHED)
REFUNDS = (PARTIALLY_REFUNDED, REFUNDED)
KIND_CODES = max(StepKind) + 1  # how many numbers a table by kind needs
KIND_NAMES = tuple(
    {kind.value: kind.name.lower() for kind in StepKind}.get(code, "") for code in range(KIND_CODES)
)

NO_MOMENT = -1  # the moment of somebody who has no journey open


class JourneyStep(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One step of a journey.

    (kind, need, caused_by) names a step within its profile; two steps are equal when all their fields are.
    """

    kind: int  # a StepKind
    need: int  # the need's number in its profile
    at_ms: int
    # Ref of the signal's event. Stalled: of the last sign of life. Abandoned: of the journey's opening.
    caused_by: bytes
    journey: bytes  # ref of the event that opened the journey
    opened_ms: int
    from_moment: int
    to_moment: int
    dwell_ms: int  # spent in the moment that was left; -1: none was left
    furthest_before: int
    furthest: int
    first_entry: bool  # it enters `to_moment`, where its journey has not been before
    dims: int  # of the causing signal; of the opening, where silence is the cause
    opened_dims: int
    utc_offset_quarters: int  # of the signal that `dims` is of
    rule: int  # code of the causing signal's rule; -1: silence
    cue: int = NO_CUE  # of a CUE: which one
    # Minor units: of a conversion, or what a refund gives back of it. None: not known, or no such step.
    amount: int | None = None
    currency: int = -1  # its number; -1 without an amount
    items: int = 0  # pieces of a conversion
    stitched: bool = False  # a conversion whose journey has an event that a device gave


def withdrawn(t: JourneyStep) -> JourneyStep:
    """The entry that takes back a `converted` step, and that step again if it is such an entry."""
    return msgspec.structs.replace(t, kind=WITHDRAWN if t.kind == CONVERTED else CONVERTED)


def withdraws(steps: list[JourneyStep]) -> bool:
    """True if an entry among the steps withdraws one."""
    return any(t.kind == WITHDRAWN for t in steps)


def net_steps(steps: list[JourneyStep]) -> list[JourneyStep]:
    """The steps without those that an entry among them withdraws.

    What is left of these entries withdraws steps that are not in the list.
    """
    if not withdraws(steps):
        return steps
    net: list[JourneyStep] = []
    for t in steps:
        if t.kind in (CONVERTED, WITHDRAWN) and (other := withdrawn(t)) in net:
            net.remove(other)
        else:
            net.append(t)
    return net
