"""`<app>.transitions`: every step of every journey, with corrections.

Key: the person's bare id; with tenants, the tenant and U+001F before it. So a person's records stay in order.
"""

from typing import Annotated

import msgspec

from schemas.kinds import (
    AS_SENT,
    COUNT,
    CURRENCY,
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


def _with_hyphens(name: str) -> str:
    return name.replace("_", "-")


class TransitionHeaders(msgspec.Struct, frozen=True, rename=_with_hyphens):
    """Where the item was read first whose event has caused the step.

    Only an assert has them, and none that silence causes. `source-index` is missing where the event was not
    just read: a device gave it to its user, or another event has changed what was computed.
    """

    source_topic: Annotated[str | msgspec.UnsetType, documented("the topic that the item was read from")] = (
        msgspec.UNSET
    )
    source_partition: Annotated[
        int | msgspec.UnsetType, documented("the partition of that topic", **COUNT)
    ] = msgspec.UNSET
    source_offset: Annotated[
        int | msgspec.UnsetType, documented("the offset of its record in that partition", **COUNT)
    ] = msgspec.UNSET
    source_index: Annotated[
        int | msgspec.UnsetType,
        documented("which item of its record; 0 if it is one item", **COUNT),
    ] = msgspec.UNSET


class Transition(msgspec.Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """One step of a journey, asserted or retracted.

    `op: retract` takes back the earlier `assert` with the same id, and repeats its content. If two records
    have one id, the one with the greater `rev` holds; (id, rev) is an idempotency key. The true steps are
    those whose last record is an assert.
    """

    id: Annotated[str, documented("32 hex digits; the same in every replay", pattern="^[0-9a-f]{32}$")]
    rev: Annotated[int, documented("grows with each record of a partition", **COUNT)]
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
    confidence: Annotated[float | None, documented("the confidence of that rule", minimum=0, maximum=1)]
    rules: Annotated[str | None, documented("the version of the rules that it belongs to")]
    dimensions: Annotated[
        dict[str, str],
        documented("those of the causing event; for stalled and abandoned, of the opening event"),
    ]
    opened_dimensions: Annotated[
        dict[str, str], documented("those of the opening event; the journey's cohort is counted under them")
    ]
    furthest_before: Annotated[
        Moment | None,
        documented("the journey's furthest moment before this step; null if this step opened it"),
    ]
    furthest: Annotated[Moment, documented("the journey's furthest moment after this step")]
    first_entry: Annotated[bool, documented("the step enters `to`, where the journey has not been before")]
    value_minor: Annotated[
        int | msgspec.UnsetType,
        documented(
            "converted: the purchase's amount; partially_refunded and refunded: what is given back; in minor"
            " units of the currency. Absent where no amount is known, and from other kinds",
            **COUNT,
        ),
    ] = msgspec.UNSET
    currency: Annotated[
        str | msgspec.UnsetType, documented("ISO 4217 code; there if value_minor is", **CURRENCY)
    ] = msgspec.UNSET
    stitched: Annotated[
        bool | msgspec.UnsetType,
        documented(
            "converted: true if the journey has an event that a device gave, so that something of it was done"
            " by a guest who is this user. Absent from all other records"
        ),
    ] = msgspec.UNSET
    device: Annotated[
        str | msgspec.UnsetType,
        documented("the device that gave the causing event to this user; absent where none did"),
    ] = msgspec.UNSET
    moved_from: Annotated[
        str | msgspec.UnsetType,
        documented(
            "the other profile, where this record was written because an event has moved between profiles:"
            " the event is not new. Absent from all other records"
        ),
    ] = msgspec.UNSET
