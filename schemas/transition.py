"""`<app>.transitions`: every step of every journey, with corrections. Key: tenant and profile, so a person's
records stay in order.
"""

from typing import Annotated

import msgspec

from schemas.kinds import (
    AS_SENT,
    COUNT,
    INSTANT,
    Journey,
    Kind,
    Moment,
    Need,
    Op,
    ProfileName,
    Tenant,
    documented,
)


class Transition(msgspec.Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """One step. `op: retract` takes an earlier `assert` with the same id back, with its full old content.

    Of two records with one id, the greater `rev` holds; (id, rev) is an idempotency key. Exactly the ids
    whose last record is an assert are true.
    """

    id: Annotated[str, documented("32 hex digits; the same in every replay", pattern="^[0-9a-f]{32}$")]
    rev: Annotated[int, documented("grows within a partition", **COUNT)]
    op: Op
    tenant: Tenant
    profile: ProfileName
    need: Need
    journey: Journey
    kind: Kind
    from_: Annotated[Moment | None, documented("the moment left, or stayed in")]
    to: Annotated[Moment | None, documented("the moment entered, or stayed in; null: the journey is over")]
    skipped: Annotated[
        tuple[Moment, ...], documented("the moments strictly between from and to (advanced, converted)")
    ]
    at: Annotated[str, documented("event time of this step", **INSTANT)]
    utc_offset_min: Annotated[int, documented("the person's distance from UTC, minutes; 0 when unknown")]
    dwell_s: Annotated[
        float | None, documented("seconds spent in the moment left; null when none was left", **COUNT)
    ]
    opened_at: Annotated[str, documented("when the journey was opened", **INSTANT)]
    event: Annotated[
        str | None,
        documented(
            f"id of the causing event, {AS_SENT}; null for stalled and abandoned, which silence causes"
        ),
    ]
    rule: Annotated[str | None, documented("the rule that read that event")]
    confidence: Annotated[float | None, documented("that rule's", minimum=0, maximum=1)]
    rules: Annotated[str | None, documented("version of the rules that read that event")]
    dimensions: Annotated[
        dict[str, str], documented("of the causing event; for stalled and abandoned, of the opening")
    ]
    opened_dimensions: Annotated[
        dict[str, str], documented("of the journey's opening: what its cohort is counted under")
    ]
    furthest_before: Annotated[
        Moment | None, documented("furthest moment of the journey before this step; null: it opened it")
    ]
    furthest: Annotated[Moment, documented("and after it")]
