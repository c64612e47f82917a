"""`<app>.current` (compacted): where each person is now, per need. Key: tenant, profile, need. A tombstone: forgotten."""

import msgspec

from schemas.kinds import Moment, Outcome


class Current(msgspec.Struct, frozen=True, gc=False):
    """The latest known standing of a (tenant, profile, need)."""

    tenant: str | None
    profile: str
    need: str | None
    moment: Moment | None  # null: no journey open
    stalled: bool
    journey: str  # the open journey, else the last one
    opened_at: str
    since: str  # when the moment was entered; once closed, when that was
    furthest: Moment
    outcome: Outcome | None  # of the last journey; null while one is open
    rev: int  # of the partition's transitions when this was written
