"""An event in canonical form: what is known of one whose bytes are not kept, as JSON, and back again.

A device gives events to users long after they were read, perhaps in another partition. Where one of them is a
dead letter, this is its value, and this is what is redriven.
"""

from typing import NamedTuple, get_args

import msgspec

from schemas import CueName
from schemas.canonical_event import (
    CanonicalEvent,
    CanonicalMoney,
    CanonicalShare,
    CanonicalSignal,
    Intent,
    UpdateName,
)
from streams.core.funnels.currencies import CURRENCIES, NO_CURRENCY, currency_number
from streams.core.funnels.dimensions import Dimensions
from streams.core.identity.device import with_known_needs
from streams.core.ingest.event import Reason, Rejection, reject
from streams.core.ingest.times import parse_time
from streams.core.journeys.money import Money, Share
from streams.core.journeys.order_facts import OrderFacts
from streams.core.journeys.signal import (
    DIMS,
    INTENT,
    NAMELESS,
    SURE,
    Signal,
    event_text,
    head_of,
    parse_event_text,
)
from streams.core.moments.verdict import CUE_NAMES, NO_CUE, RuleInfo
from streams.core.processing.json_text import encode_json, rfc3339
from streams.core.processing.record_keys import profile_key, split_profile_key
from streams.core.processing.rulebook import Rulebook

_INTENTS: tuple[Intent, ...] = get_args(Intent)
_UPDATES: tuple[UpdateName, ...] = get_args(UpdateName)  # by number
_CUES: tuple[CueName | None, ...] = (None, *get_args(CueName))  # by number
_decode = msgspec.json.Decoder(CanonicalEvent).decode


class DeviceEvent(NamedTuple):
    """An event of a device, and whose it is or was to be."""

    device: str  # the key of its profile
    user: str | None  # likewise
    ref: bytes  # the event's id within the device
    at_ms: int
    signal: Signal | None  # None: it is a link, or nothing more of it is known


def canonical_json(given: DeviceEvent, dimensions: Dimensions, book: Rulebook) -> bytes:
    """The event as a dead letter holds it. `book`: of the partition that holds the signal."""
    tenant, device = split_profile_key(given.device)
    return encode_json(
        CanonicalEvent(
            tenant=tenant,
            device=device[2:],
            user=None if given.user is None else split_profile_key(given.user)[1][2:],
            event=event_text(given.ref),
            at=rfc3339(given.at_ms),
            signal=None if given.signal is None else _shown(given.signal, dimensions, book),
        )
    )


def _shown(signal: Signal, dimensions: Dimensions, book: Rulebook) -> CanonicalSignal:
    head, facts = signal.head, signal.facts or OrderFacts()
    version, rule = book.rule_of(signal.rule)
    return CanonicalSignal(
        intent=_INTENTS[head >> INTENT & 7],
        is_sure=bool(head & SURE),
        rule=rule.name,
        confidence=rule.confidence,
        rules=version,
        utc_offset_min=signal.utc_offset_quarters * 15,
        dimensions=dimensions.names(head & DIMS),
        cue=_CUES[signal.cue],
        needs=() if signal.needs == NAMELESS else signal.needs,
        order=None if facts.order is None else facts.order.hex(),
        update=_UPDATES[facts.update],
        money=None if facts.money is None else _shown_money(facts.money),
    )


def _shown_money(money: Money) -> CanonicalMoney:
    return CanonicalMoney(
        value_minor=money.amount,
        currency=None if money.currency == NO_CURRENCY else CURRENCIES[money.currency],
        items=money.items,
        by_server=money.by_server,
        is_unread=money.unread,
        shares=tuple([CanonicalShare(share.need, share.amount, share.items) for share in money.shares]),
    )


def read_canonical(value: bytes, dimensions: Dimensions, book: Rulebook) -> DeviceEvent | Rejection:
    """The event that a dead letter holds, with a rule of this partition's book.

    Raises Incompatible when the book is full.
    """
    try:
        event = _decode(value)
        at = parse_time(event.at)
        if at is None:
            return reject(Reason.BAD_TIME, f"at: {event.at!r}")
        device = profile_key(event.tenant or "", f"d:{event.device}")
        user = None if event.user is None else profile_key(event.tenant or "", f"u:{event.user}")
        ref, signal = parse_event_text(event.event), None
        if event.signal is not None:
            signal = _signal(event.signal, ref, at[0], dimensions, book)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        return reject(Reason.UNDECODABLE, f"not an event in canonical form: {error}")
    return DeviceEvent(device, user, ref, at[0], signal)


def _signal(shown: CanonicalSignal, ref: bytes, at_ms: int, dimensions: Dimensions, book: Rulebook) -> Signal:
    facts = OrderFacts(
        None if shown.order is None else bytes.fromhex(shown.order),
        _UPDATES.index(shown.update),
        None if shown.money is None else _money(shown.money),
    )
    dims = dimensions.code_of(shown.dimensions)
    return with_known_needs(
        Signal(
            head_of(at_ms, _INTENTS.index(shown.intent), shown.is_sure, dims),
            ref,
            book.code_of(shown.rules, RuleInfo(shown.rule, shown.confidence)),
            shown.utc_offset_min // 15,
            None if facts == OrderFacts() else facts,
            shown.needs or NAMELESS,
            cue=NO_CUE if shown.cue is None else CUE_NAMES.index(shown.cue) + 1,
        )
    )


def _money(shown: CanonicalMoney) -> Money:
    return Money(
        shown.value_minor,
        NO_CURRENCY if shown.currency is None else currency_number(shown.currency),
        shown.items,
        shown.by_server,
        shown.is_unread,
        tuple([Share(share.need, share.value_minor, share.items) for share in shown.shares]),
    )
