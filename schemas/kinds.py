"""The closed vocabularies of the contract, and what its JSON Schemas say about a field beside its type."""

from typing import Annotated, Literal

import msgspec

Moment = Literal["know", "go", "do", "buy", "truth"]
Kind = Literal[
    "opened", "advanced", "returned", "stalled", "resumed", "converted", "abandoned", "partially_refunded",
    "refunded",
]  # fmt: skip
Unmatched = Literal["refund_unmatched", "update_unmatched"]  # counted among transitions, and none
CueName = Literal[
    "payment_error",
    "coupon_denied",
    "out_of_stock",
    "zero_results",
    "slow_page",
    "form_error",
    "directions_asked",
    "call",
]
Outcome = Literal["converted", "abandoned", "refunded"]
Op = Literal["assert", "retract"]
Measure = Literal[
    "transitions", "cohort", "dwell", "hour_of_week", "been_in", "cues", "revenue", "stitched",
    "time_to_convert",
]  # fmt: skip


def documented(description: str, **keywords: object) -> msgspec.Meta:
    """A field's description, and further JSON Schema keywords.

    They are documentation only: nothing is checked, so encoding and decoding take no longer.
    """
    return msgspec.Meta(description=description, extra_json_schema=keywords)


INSTANT = {"format": "date-time"}  # RFC 3339, UTC, milliseconds
COUNT = {"minimum": 0}

CURRENCY = {"pattern": "^[A-Z]{3}$"}  # ISO 4217

Tenant = Annotated[str | None, documented("whose customer the person is; null if no tenant is named")]
ProfileName = Annotated[
    str, documented("whose journey it is: u:<userId> or d:<anonymousId>", pattern="^[ud]:.")
]
Need = Annotated[str | None, documented("what the journey is about; null for the nameless need")]
AS_SENT = (
    "as it was sent if it is a UUID, 32 hex digits or at most 16 bytes long,"
    " else `blake2b:` and its BLAKE2b-128 in hex"
)
Journey = Annotated[
    str,
    documented(f"id of the event that opened the journey, {AS_SENT}; unique within (tenant, profile, need)"),
]
