"""An event in canonical form: the value of a `late` record whose header `form` is `event`.

A device gives events to the user who was signed in there. No bytes are kept of them, so their dead letters
hold what is known of them. So does that of a late link, which has no `signal`.
"""

from typing import Annotated, Literal

import msgspec

from schemas.kinds import AS_SENT, COUNT, CURRENCY, INSTANT, CueName, Tenant, documented

Intent = Literal["know", "go", "do", "buy", "truth", "refund"]
UpdateName = Literal["none", "untimed", "old"]


class CanonicalShare(msgspec.Struct, frozen=True, gc=False):
    """What an event about several needs says of one of them."""

    need: str
    value_minor: int | None
    items: Annotated[int, documented("pieces", **COUNT)]


class CanonicalMoney(msgspec.Struct, frozen=True, gc=False):
    """What a purchase or a refund says of money."""

    value_minor: Annotated[int | None, documented("minor units of the currency; null if not known", **COUNT)]
    currency: Annotated[str | None, documented("ISO 4217 code; null without an amount", **CURRENCY)]
    items: Annotated[int, documented("pieces that it lists", **COUNT)]
    by_server: Annotated[bool, documented("a server says so, not somebody's browser or app")]
    is_unread: Annotated[bool, documented("it has an amount that cannot be read")]
    shares: Annotated[
        tuple[CanonicalShare, ...], documented("by need, where the event is about several needs")
    ]


class CanonicalSignal(msgspec.Struct, frozen=True, gc=False):
    """What an event says about intent, as the rules read it that were in force."""

    intent: Annotated[Intent, documented("a moment, or a refund")]
    is_sure: Annotated[bool, documented("the confidence of the rule is above 0.4")]
    rule: Annotated[str, documented("the rule that read the event")]
    confidence: Annotated[float, documented("the confidence of that rule", minimum=0, maximum=1)]
    rules: Annotated[str, documented("the version of the rules that it belongs to")]
    utc_offset_min: Annotated[int, documented("the person's distance from UTC, minutes; 0 when unknown")]
    dimensions: dict[str, str]
    cue: Annotated[CueName | None, documented("what happened besides; null: nothing")]
    needs: Annotated[
        tuple[str, ...], documented('what it is about; none: the nameless need; ["*"]: every need (a refund)')
    ]
    order: Annotated[
        str | None, documented("the BLAKE2b-64 of the order's id, in hex; null: it names no order")
    ]
    update: Annotated[UpdateName, documented("whether it tells of a change to an order")]
    money: CanonicalMoney | None


class CanonicalEvent(msgspec.Struct, frozen=True, gc=False):
    """What is known of an event of a device."""

    tenant: Tenant
    device: Annotated[str, documented("the device that the event names")]
    user: Annotated[
        str | None,
        documented("of a link, who was signed in; else whose the event was to be; null: the device's own"),
    ]
    event: Annotated[str, documented(f"the event's id, {AS_SENT}")]
    at: Annotated[str, documented("the time at which it counts", **INSTANT)]
    signal: Annotated[
        CanonicalSignal | None, documented("null: it is a link, or nothing more of it is known")
    ]
