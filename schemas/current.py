"""`<app>.current` (compacted): where each person is now, per need.

Key: tenant, profile, need. A tombstone means that the need has no journey any more, or the person is
forgotten.
"""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, Moment, Need, Outcome, ProfileName, Tenant, documented


class Current(msgspec.Struct, frozen=True, gc=False):
    """Where a person is now, about one need."""

    tenant: Tenant
    profile: ProfileName
    need: Need
    moment: Annotated[Moment | None, documented("null: no journey open")]
    stalled: Annotated[bool, documented("the open journey is silent for longer than its moment's patience")]
    journey: Annotated[str, documented("the open journey, else the last one")]
    opened_at: Annotated[str, documented("when that journey was opened", **INSTANT)]
    since: Annotated[
        str, documented("when the moment was entered, or else when the journey was closed", **INSTANT)
    ]
    furthest: Annotated[Moment, documented("furthest moment of that journey")]
    outcome: Annotated[Outcome | None, documented("how the last journey ended; null while one is open")]
    rev: Annotated[
        int, documented("the partition's greatest `rev` of a transition when this was written", **COUNT)
    ]
