"""`<app>.cues`: what happened inside the moments of journeys, with corrections.

Key: the person's bare id; with tenants, the tenant and U+001F before it. So a person's records stay in order.
"""

from typing import Annotated

import msgspec

from schemas.kinds import (
    AS_SENT,
    COUNT,
    INSTANT,
    CueName,
    Journey,
    Moment,
    Need,
    Op,
    ProfileName,
    Tenant,
    documented,
)


class Cue(msgspec.Struct, frozen=True, gc=False):
    """Something that happened inside a moment of a journey, asserted or retracted.

    `op: retract` takes back the earlier `assert` with the same id, and repeats its content. If two records
    have one id, the one with the greater `rev` holds; (id, rev) is an idempotency key. The true cues are
    those whose last record is an assert.
    """

    id: Annotated[str, documented("32 hex digits; the same in every replay", pattern="^[0-9a-f]{32}$")]
    rev: Annotated[int, documented("grows with each record of a partition", **COUNT)]
    op: Op
    tenant: Tenant
    profile: ProfileName
    need: Need
    journey: Journey
    moment: Annotated[Moment, documented("the moment in which the event left the journey")]
    cue: CueName
    at: Annotated[str, documented("event time", **INSTANT)]
    opened_at: Annotated[str, documented("when the journey was opened", **INSTANT)]
    event: Annotated[str, documented(f"id of the event, {AS_SENT}")]
    dimensions: Annotated[dict[str, str], documented("those of the event")]
    device: Annotated[
        str | msgspec.UnsetType,
        documented("the device that gave the event to this user; absent where none did"),
    ] = msgspec.UNSET
    moved_from: Annotated[
        str | msgspec.UnsetType,
        documented(
            "the other profile, where this record was written because an event has moved between profiles:"
            " the event is not new. Absent from all other records"
        ),
    ] = msgspec.UNSET
