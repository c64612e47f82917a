"""`<app>.journeys` (append-only): one record per journey once no accepted event can change it any more, and
one per later refund.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import COUNT, INSTANT, Journey, Moment, Need, ProfileName, Tenant, documented


class Step(msgspec.Struct, frozen=True, gc=False):
    """A stay in one moment."""

    moment: Moment
    at: Annotated[str, documented("when it was entered", **INSTANT)]
    dwell_s: Annotated[
        float | None,
        documented("seconds; null for the moment of truth, which is where a journey ends", **COUNT),
    ]


class JourneyRecord(msgspec.Struct, frozen=True, gc=False, tag="journey", tag_field="record"):
    """A finished journey: never corrected, never repeated."""

    tenant: Tenant
    profile: ProfileName
    need: Need
    journey: Journey
    opened_at: Annotated[str, documented("time of the event that opened it", **INSTANT)]
    closed_at: Annotated[
        str, documented("time of the purchase, or when silence had lasted long enough", **INSTANT)
    ]
    outcome: Literal["converted", "abandoned"]
    furthest: Annotated[Moment, documented("furthest moment reached")]
    path: Annotated[
        tuple[Step, ...],
        documented("the moments it went through, in order; of a very long journey the first ones"),
    ]
    steps: Annotated[int, documented("how many there were, those that `path` leaves out included", **COUNT)]
    dwell_s: Annotated[dict[str, float], documented("seconds per moment, over the whole path")]
    stalls: Annotated[
        int, documented("how often it fell silent for longer than its moment's patience", **COUNT)
    ]
    devices: Annotated[tuple[str, ...], documented("on which steps were taken, in order of first use")]
    opened_dimensions: Annotated[dict[str, str], documented("of its opening")]
    rules: Annotated[tuple[str, ...], documented("versions of the rules that had a say")]


class RefundRecord(msgspec.Struct, frozen=True, gc=False, tag="refund", tag_field="record"):
    """A refund of a finished, converted journey."""

    tenant: Tenant
    profile: ProfileName
    need: Need
    journey: Journey
    refunded_at: Annotated[str, documented("time of the refund", **INSTANT)]
    event: Annotated[str, documented("id of the refund's event")]
