"""`<app>.transitions`: every step of every journey, with corrections. Key: tenant and profile, so a person's records stay in order."""

from typing import Annotated

import msgspec

from schemas.kinds import AS_SENT, COUNT, INSTANT, Journey, Kind, Moment, Need, Op, Profile, Tenant, says


class Transition(msgspec.Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """One step. `op: retract` takes an earlier `assert` with the same id back, with its full old content.

    Of two records with one id, the greater `rev` holds; (id, rev) is an idempotency key. Exactly the ids whose last record is an assert are true.
    """

    id: Annotated[str, says("32 hex digits; the same in every replay", pattern="^[0-9a-f]{32}$")]
    rev: Annotated[int, says("grows within a partition", **COUNT)]
    op: Op
    tenant: Tenant
    profile: Profile
    need: Need
    journey: Journey
    kind: Kind
    from_: Annotated[Moment | None, says("the moment left, or stayed in")]
    to: Annotated[Moment | None, says("the moment entered, or stayed in; null: the journey is over")]
    skipped: Annotated[
        tuple[Moment, ...], says("the moments strictly between from and to (advanced, converted)")
    ]
    at: Annotated[str, says("event time of this step", **INSTANT)]
    utc_offset_min: Annotated[int, says("the person's distance from UTC, minutes; 0 when unknown")]
    dwell_s: Annotated[
        float | None, says("seconds spent in the moment left; null when none was left", **COUNT)
    ]
    opened_at: Annotated[str, says("when the journey was opened", **INSTANT)]
    event: Annotated[
        str | None,
        says(f"id of the causing event, {AS_SENT}; null for stalled and abandoned, which silence causes"),
    ]
    rule: Annotated[str | None, says("the rule that read that event")]
    confidence: Annotated[float | None, says("that rule's", minimum=0, maximum=1)]
    rules: Annotated[str | None, says("version of the rules that read that event")]
    dimensions: Annotated[
        dict[str, str], says("of the causing event; for stalled and abandoned, of the opening")
    ]
    opened_dimensions: Annotated[
        dict[str, str], says("of the journey's opening: what its cohort is counted under")
    ]
    furthest_before: Annotated[
        Moment | None, says("furthest moment of the journey before this step; null: it opened it")
    ]
    furthest: Annotated[Moment, says("and after it")]
