"""A signal: what one event says about intent, and the 37 bytes that stand for it in a journal.

A journal is these bytes in order. Why bytes: the journal in memory is the journal in the state topic, so
nothing is encoded on a write or decoded on a restore; two signals are compared by one comparison of bytes;
and 20 signals take 773 bytes, where 20 tuples take 4 kB.

    head          8  at_ms 44 bits (to the year 2527) | intent 3 | sure 1 | dims 16     big-endian
    ref          17  the event's id: one byte for its form, 16 that stand for it
    rule          2  the code of the rule that read the event (the partition's rulebook)
    need          2  the number of the need in its profile; EVERY_NEED: a refund with an order id
    utc_offset    1  the person's distance from UTC in quarter hours, signed
    cue           1  the number of the cue that the event has (streams.core.moments.verdict), or 0
    place         6  where the event was read (streams.core.processing.places); zeros: it is not known

The place is no content: it orders nothing, copies are compared without it, and no step of a journey has it.
"""

import re
from hashlib import blake2b
from struct import Struct

import msgspec

from streams.core.journeys.money import Money
from streams.core.journeys.order_facts import OrderFacts
from streams.core.moments.verdict import NO_CUE

_CONTENT = Struct(">Q17sHHbB")
PACK, PLACE_AT = _CONTENT.pack, _CONTENT.size  # a record is what PACK gives, and a place
NO_PLACE = bytes(6)  # it is not known where an event was read
RECORD = Struct(f"{_CONTENT.format}{len(NO_PLACE)}x")  # reads the content of records
SIZE = RECORD.size
# How a head is taken apart: `head >> TIME`, `head >> INTENT & 7`, `head & SURE`, `head & DIMS`.
TIME, INTENT, SURE, DIMS = 20, 17, 1 << 16, 0xFFFF
ORDERED = 25  # the bytes that order a journal: head and ref
REF_AT, REF_SIZE = 8, 17
ORDER_SIZE = 8  # the bytes of an `order_ref`
EVERY_NEED = 0xFFFF  # the number of a need that stands for all of them

NAMELESS_NUMBER = 0  # the number of the nameless need in every profile

# Needs by name. These two are recognized by identity, since most signals have one of them.
NAMELESS = ("",)  # a signal that names no need
REFUND_EVERYWHERE = ("*",)  # a refund with an order id
# Places for needs in one profile: a robot that walks every category has many. A further need of an event is
# left out, which is recorded (`needs_full`); an event that has no other is late (`over_cap`).
MAX_NEEDS = 1_000

# Forms of an event id. CAPITAL_UUID: a UUID in capitals, as iOS writes them.
UUID, HEX, TEXT, HASH, CAPITAL_UUID = b"\0", b"\1", b"\2", b"\3", b"\4"
HASHED = re.compile("blake2b:[0-9a-f]{32}")  # how a hash is written: no id of up to 16 bytes is one
GIVEN_FORM = 5
GIVEN = bytes([GIVEN_FORM])  # of an event that a device gave: a hash of the device and the id (`given_ref`)


class Signal(msgspec.Struct, frozen=True, gc=False):
    """What one event says about intent.

    Where the event comes in, `needs` holds its needs by name. A journal holds them by number instead, one
    record for each, and a signal that is read back from a journal leaves `needs` as it is.
    """

    head: int  # time, intent, certainty and dimensions: `head_of`
    ref: bytes  # the event's id: `event_ref`
    rule: int  # code of the rule that read it
    utc_offset_quarters: int
    facts: OrderFacts | None = None  # what a buy signal, a truth or a refund says of an order
    needs: tuple[str, ...] = NAMELESS
    cue: int = NO_CUE
    place: bytes = NO_PLACE  # where the event was read: no content (`is_same`)

    @property
    def has_unread_amount(self) -> bool:
        """True if it has an amount that cannot be read."""
        money = money_of(self)
        return money is not None and money.unread


def is_same(one: Signal, other: Signal) -> bool:
    """True if two signals are equal, wherever they were read."""
    return one == msgspec.structs.replace(other, place=one.place)


def without_needs(signal: Signal, left_out: tuple[str, ...]) -> Signal:
    """The signal as it counts when these needs are left out of it."""
    if not left_out:
        return signal
    return msgspec.structs.replace(signal, needs=tuple([n for n in signal.needs if n not in left_out]))


def order_of(signal: Signal) -> bytes | None:
    """The order that a signal is about; None: it names none."""
    return signal.facts.order if signal.facts is not None else None


def money_of(signal: Signal) -> Money | None:
    """What a signal says of money; None: nothing."""
    return signal.facts.money if signal.facts is not None else None


def head_of(at_ms: int, intent: int, sure: bool, dims: int) -> int:
    """Time, intent, certainty and dimensions as one number that orders as they do."""
    return at_ms << TIME | intent << INTENT | sure << 16 | dims


def facts_key(head: int, ref: bytes) -> bytes:
    """The key of a signal's facts in `Profile.facts`: the head and the event's id.

    The id alone would not do: an id that comes again after it was forgotten is another event.
    """
    return head.to_bytes(REF_AT, "big") + ref


def event_ref(event_id: str) -> bytes:
    """The 17 bytes that stand for an event id: its form, and 16 bytes.

    The 16 bytes hold a UUID, 32 hex digits or up to 16 bytes of text exactly, and a BLAKE2b-128 hash of
    anything else.
    """
    size = len(event_id)
    if (size == 36 and event_id[8:24:5] == "----") or size == 32:
        digits = event_id.replace("-", "")
        try:
            raw = bytes.fromhex(digits)
        except ValueError:
            raw = b""
        if len(raw) == 16:
            exact = raw.hex()
            if exact == digits:
                return (UUID if size == 36 else HEX) + raw
            if size == 36 and exact.upper() == digits:
                return CAPITAL_UUID + raw
    raw = event_id.encode("utf-8", "surrogatepass")
    if len(raw) <= 16 and not raw.endswith(b"\0"):
        return TEXT + raw.ljust(16, b"\0")
    return HASH + blake2b(raw, digest_size=16).digest()


def event_text(ref: bytes) -> str:
    """The event's id for a reader: as it was sent, or `blake2b:` and 32 hex digits of its hash."""
    form = ref[0]
    if form == 0 or form == 4:
        h = ref.hex() if form == 0 else ref.hex().upper()
        return f"{h[2:10]}-{h[10:14]}-{h[14:18]}-{h[18:22]}-{h[22:]}"
    if form == 1:
        return ref[1:].hex()
    if form == 2:
        return ref[1:].rstrip(b"\0").decode("utf-8", "surrogatepass")
    return ("~" if form == 5 else "blake2b:") + ref[1:].hex()


def parse_event_text(text: str) -> bytes:
    """The 17 bytes that stand for the event id of which `event_text` made this text."""
    if HASHED.fullmatch(text):
        return HASH + bytes.fromhex(text.removeprefix("blake2b:"))
    return event_ref(text)


def given_ref(device: str, ref: bytes) -> bytes:
    """The 17 bytes that stand, in a user's profile, for an event that a device gave.

    They differ from those of any other event there: two devices may count their events from 1. `origins.py`
    finds the device and the id again.
    """
    name = f"{device}\x1f{event_text(ref)}".encode("utf-8", "surrogatepass")
    return GIVEN + blake2b(name, digest_size=16).digest()


def order_ref(order: str) -> bytes:
    """The ORDER_SIZE bytes that stand for an order id within a profile."""
    return blake2b(order.encode("utf-8", "surrogatepass"), digest_size=ORDER_SIZE).digest()
