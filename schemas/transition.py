"""`<app>.transitions`: every step of every journey, with corrections. Key: tenant and profile, so a person's records stay in order."""

import msgspec

from schemas.kinds import Kind, Moment, Op


class Transition(msgspec.Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """One step. `op: retract` takes an earlier `assert` with the same id back, with its full old content.

    Of two records with one id, the greater `rev` holds; (id, rev) is an idempotency key. Exactly the ids whose last record is an assert are true.
    """

    id: str  # 32 hex digits; the same in every replay
    rev: int  # grows within a partition
    op: Op
    tenant: str | None
    profile: str  # u:<userId> or d:<anonymousId>
    need: str | None  # what the journey is about; null: the one nameless need
    journey: str  # the id of the event that opened it; unique within (tenant, profile, need)
    kind: Kind
    from_: Moment | None
    to: Moment | None
    skipped: tuple[Moment, ...]  # the moments strictly between from and to (advanced, converted)
    at: str  # event time of this step
    utc_offset_min: int  # the person's distance from UTC, minutes; 0 when unknown
    dwell_s: float | None  # seconds spent in the moment left; null when none was left
    opened_at: str  # of the journey
    event: str | None  # id of the causing event; null for stalled and abandoned, which silence causes
    rule: str | None  # the rule that read that event
    confidence: float | None  # that rule's, 0..1
    rules: str | None  # version of the rules that read that event
    dimensions: dict[str, str]  # of the causing event; for stalled and abandoned, of the opening
    opened_dimensions: dict[str, str]  # of the journey's opening: what its cohort is counted under
    furthest_before: Moment | None  # furthest moment of the journey before this step; null: it opened it
    furthest: Moment  # and after it
