"""`<app>.current` (compacted): where each person is now, per need. Key: tenant, profile, need. A tombstone:
forgotten.
"""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, Moment, Need, Outcome, ProfileName, Tenant, documented


class Current(msgspec.Struct, frozen=True, gc=False):
    """The latest known standing of a (tenant, profile, need)."""

    tenant: Tenant
    profile: ProfileName
    need: Need
    moment: Annotated[Moment | None, documented("null: no journey open")]
    stalled: Annotated[bool, documented("silent for longer than the moment's patience")]
    journey: Annotated[str, documented("the open journey, else the last one")]
    opened_at: Annotated[str, documented("when that journey was opened", **INSTANT)]
    since: Annotated[str, documented("when the moment was entered; once closed, when that was", **INSTANT)]
    furthest: Annotated[Moment, documented("furthest moment of that journey")]
    outcome: Annotated[Outcome | None, documented("of the last journey; null while one is open")]
    rev: Annotated[int, documented("of the partition's transitions when this was written", **COUNT)]
