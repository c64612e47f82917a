"""`<app>.journeys` (append-only): a record for each journey that no accepted event can change any more, and
one for each refund of it.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import (
    COUNT,
    CURRENCY,
    INSTANT,
    CueName,
    Journey,
    Moment,
    Need,
    ProfileName,
    Tenant,
    documented,
)


class Step(msgspec.Struct, frozen=True, gc=False):
    """A stay in one moment."""

    moment: Moment
    at: Annotated[str, documented("when the moment was entered", **INSTANT)]
    dwell_s: Annotated[
        float | None,
        documented("seconds until it was left; null for truth, where a journey ends", **COUNT),
    ]


class JourneyCue(msgspec.Struct, frozen=True, gc=False):
    """Something that happened inside a moment of the journey."""

    cue: CueName
    moment: Moment
    at: Annotated[str, documented("event time", **INSTANT)]


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
        documented("its stays in moments, in order; only the first ones if there are very many"),
    ]
    steps: Annotated[int, documented("the number of stays, including those that `path` leaves out", **COUNT)]
    dwell_s: Annotated[dict[str, float], documented("seconds per moment, over the whole path")]
    stalls: Annotated[
        int, documented("how often it fell silent for longer than its moment's patience", **COUNT)
    ]
    cues: Annotated[tuple[JourneyCue, ...], documented("what happened inside its moments, in order")]
    devices: Annotated[
        tuple[str, ...], documented("devices on which steps were taken, in order of first use")
    ]
    opened_dimensions: Annotated[dict[str, str], documented("the dimensions of the event that opened it")]
    rules: Annotated[
        tuple[str, ...], documented("versions of the rules that read its events, in order of first use")
    ]
    value_minor: Annotated[
        int | None, documented("the purchase's amount, in minor units; null if it is not known", **COUNT)
    ]
    currency: Annotated[str | None, documented("of value_minor: ISO 4217 code", **CURRENCY)]
    items: Annotated[int, documented("pieces bought, as far as the purchase lists them", **COUNT)]


class RefundRecord(msgspec.Struct, frozen=True, gc=False, tag="refund", tag_field="record"):
    """A refund of a finished, converted journey, or of a part of it."""

    tenant: Tenant
    profile: ProfileName
    need: Need
    journey: Journey
    kind: Literal["partially_refunded", "refunded"]
    refunded_at: Annotated[str, documented("time of the refund", **INSTANT)]
    event: Annotated[str, documented("id of the refund's event")]
    value_minor: Annotated[
        int | None, documented("what is given back, in minor units; null if it is not known", **COUNT)
    ]
    currency: Annotated[str | None, documented("of value_minor: ISO 4217 code", **CURRENCY)]
