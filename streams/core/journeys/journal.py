"""Looking things up in a journal: one `bytes` with the signals of a profile in order, 37 bytes each."""

from struct import Struct

from streams.core.journeys.order_facts import Facts
from streams.core.journeys.signal import ORDERED, RECORD, REF_AT, SIZE, TIME

_FACTS_KEYS = Struct(f"{ORDERED}s{SIZE - ORDERED}x")  # of records, one after the other: `signal.facts_key`


def find_event(journal: bytes, ref: bytes, start: int = 0) -> int:
    """The number of the first record from `start` on with this event id; -1: there is none.

    The search runs at the speed of C. A hit that lies across two records is passed over.
    """
    at = journal.find(ref, start * SIZE)
    while at >= 0 and at % SIZE != REF_AT:
        at = journal.find(ref, at + 1)
    return at // SIZE if at >= 0 else -1


def find_at(journal: bytes, key: bytes) -> int:
    """The number of the first record of an event by its `signal.facts_key`; -1: there is none."""
    first = position_of(journal, key)
    return first if journal.startswith(key, first * SIZE) else -1


def records_of_event(journal: bytes, first: int) -> bytes:
    """The records of the event of which `first` is the first record: one for each need, side by side."""
    begin = first * SIZE
    ordered, end = journal[begin : begin + ORDERED], begin + SIZE
    while journal[end : end + ORDERED] == ordered:
        end += SIZE
    return journal[begin:end]


def without_event(journal: bytes, first: int) -> bytes:
    """The journal without the event of which `first` is the first record."""
    begin = first * SIZE
    return journal[:begin] + journal[begin + len(records_of_event(journal, first)) :]


def position_of(journal: bytes, record: bytes) -> int:
    """How many records of the journal sort before this one."""
    low, high = 0, len(journal) // SIZE
    while low < high:
        middle = (low + high) // 2
        if journal[middle * SIZE : middle * SIZE + SIZE] < record:
            low = middle + 1
        else:
            high = middle
    return low


def head_at(journal: bytes, n: int) -> int:
    """The head of record n."""
    return int.from_bytes(journal[n * SIZE : n * SIZE + REF_AT], "big")


def time_at(journal: bytes, n: int) -> int:
    """The event time (ms) of record n."""
    return head_at(journal, n) >> TIME


def facts_of(records: bytes, facts: Facts) -> Facts:
    """The facts of these records."""
    return {key: facts[key] for (key,) in _FACTS_KEYS.iter_unpack(records) if key in facts}


def until(journal: bytes, until_ms: int) -> bytes:
    """The records up to this time, and of this very time."""
    return journal[: position_of(journal, (until_ms + 1 << TIME).to_bytes(REF_AT, "big")) * SIZE]


def first_from(journal: bytes, from_ms: int) -> int:
    """The number of the first record from this time on."""
    return position_of(journal, (max(from_ms, 0) << TIME).to_bytes(REF_AT, "big"))


def live_events(journal: bytes, from_ms: int) -> list[tuple[int, bytes]]:
    """(time in ms, id) of the events of a journal from this time on, each once."""
    records = RECORD.iter_unpack(journal[first_from(journal, from_ms) * SIZE :])
    return list(dict.fromkeys((head >> TIME, ref) for head, ref, *_ in records))
