"""A signal on 30 bytes, whose byte order is the journal's order.

Why bytes: a profile's journal in memory is the journal in the state topic (nothing to encode on write or decode on restore),
comparing two signals is one comparison of bytes, and 20 of them take 633 bytes where 20 tuples take 4 kB.

    head    8  at_ms 44 bits (to the year 2527) | mark 3 | sure 1 | dims 16     big-endian
    ref    17  the event's id: one byte for its form, 16 that stand for it
    rule    2  which rule of which version said so (the partition's rulebook)
    need    2  which of the profile's needs; ALL: a refund with an order id, read in every need
    offset  1  the person's distance from UTC in quarter hours, signed
"""

from hashlib import blake2b
from struct import Struct

RECORD = Struct(">Q17sHHb")
PACK, SIZE = RECORD.pack, RECORD.size
TIME, MARK, SURE, DIMS = (
    20,
    17,
    1 << 16,
    0xFFFF,
)  # shifts of time and mark in the head; the sure bit; the mask of the dimensions
ORDERED = 25  # the bytes that order a journal: head and ref
REF_AT, REF_SIZE = 8, 17
ALL = 0xFFFF
NAMELESS = ("",)  # the needs of a signal that names none; told apart by identity, since most signals have it
MAX_NEEDS = 1_000  # needs one profile can hold (a robot that walks every category); a signal about a further one is `over_cap`

UUID, HEX, TEXT, HASH, UPPER = (
    b"\0",
    b"\1",
    b"\2",
    b"\3",
    b"\4",
)  # forms of an event id; UPPER: a UUID in capitals, as iOS writes them


def head(at_ms: int, mark: int, sure: bool, dims: int) -> int:
    """Time, mark, certainty and dimensions as one number that orders as they do."""
    return at_ms << TIME | mark << MARK | sure << 16 | dims


def order_key(head: int, ref: bytes) -> bytes:
    """What a signal's order is kept under: its place in the journal, since an id that comes again after two horizons is another event."""
    return head.to_bytes(REF_AT, "big") + ref


def event_ref(event_id: str) -> bytes:
    """17 bytes that stand for an event id: exactly for UUIDs, 32 hex digits and up to 16 bytes of text; by BLAKE2b-128 for the rest."""
    size = len(event_id)
    if (size == 36 and event_id[8] == event_id[13] == event_id[18] == event_id[23] == "-") or size == 32:
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
                return UPPER + raw
    raw = event_id.encode("utf-8", "surrogatepass")
    if len(raw) <= 16 and not raw.endswith(b"\0"):
        return TEXT + raw.ljust(16, b"\0")
    return HASH + blake2b(raw, digest_size=16).digest()


def event_text(ref: bytes) -> str:
    """The event's id as transitions give it: as it was sent, or `blake2b:` and 32 hex digits of its hash when it was longer."""
    form = ref[0]
    if form == 0 or form == 4:
        h = ref.hex() if form == 0 else ref.hex().upper()
        return f"{h[2:10]}-{h[10:14]}-{h[14:18]}-{h[18:22]}-{h[22:]}"
    if form == 1:
        return ref[1:].hex()
    if form == 2:
        return ref[1:].rstrip(b"\0").decode("utf-8", "surrogatepass")
    return "blake2b:" + ref[1:].hex()


def order_ref(order: str) -> bytes:
    """8 bytes that stand for an order id within a profile."""
    return blake2b(order.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def find(journal: bytes, ref: bytes, start: int = 0) -> int:
    """The first record from number `start` on with this event id, or -1. A search at C speed; a hit across two records is looked past."""
    at = journal.find(ref, start * SIZE)
    while at >= 0 and at % SIZE != REF_AT:
        at = journal.find(ref, at + 1)
    return at // SIZE if at >= 0 else -1


def position(journal: bytes, record: bytes) -> int:
    """How many records of the journal are ordered before this one."""
    low, high = 0, len(journal) // SIZE
    while low < high:
        middle = (low + high) // 2
        if journal[middle * SIZE : middle * SIZE + SIZE] < record:
            low = middle + 1
        else:
            high = middle
    return low


def time_of(journal: bytes, record: int) -> int:
    """Event time (ms) of a record by its number."""
    return int.from_bytes(journal[record * SIZE : record * SIZE + 8], "big") >> TIME
