"""`<app>.current` (compacted): where each person is now, per need. Key: tenant, profile, need. A tombstone: forgotten."""

from typing import Annotated

import msgspec

from schemas.kinds import COUNT, INSTANT, Moment, Need, Outcome, Profile, Tenant, says


class Current(msgspec.Struct, frozen=True, gc=False):
    """The latest known standing of a (tenant, profile, need)."""

    tenant: Tenant
    profile: Profile
    need: Need
    moment: Annotated[Moment | None, says("null: no journey open")]
    stalled: Annotated[bool, says("silent for longer than the moment's patience")]
    journey: Annotated[str, says("the open journey, else the last one")]
    opened_at: Annotated[str, says("when that journey was opened", **INSTANT)]
    since: Annotated[str, says("when the moment was entered; once closed, when that was", **INSTANT)]
    furthest: Annotated[Moment, says("furthest moment of that journey")]
    outcome: Annotated[Outcome | None, says("of the last journey; null while one is open")]
    rev: Annotated[int, says("of the partition's transitions when this was written", **COUNT)]
