"""A signal's bytes: ids come back as they went in, and comparing bytes is comparing signals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.journeys.journal import find_event, position_of, time_at
from streams.core.journeys.signal import (
    DIMS,
    EVERY_NEED,
    INTENT,
    NO_PLACE,
    PACK,
    RECORD,
    REF_SIZE,
    SIZE,
    SURE,
    TIME,
    event_ref,
    event_text,
    head_of,
    order_ref,
)

LAW = settings(max_examples=200, deadline=None, database=None)

ids = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40),
    st.uuids().map(str),
    st.uuids().map(lambda u: u.hex),
    st.uuids().map(lambda u: u.hex.upper()),
)
heads = st.builds(head_of, st.integers(0, 2**44 - 1), st.integers(0, 5), st.booleans(), st.integers(0, DIMS))
records = st.builds(
    lambda content, place: content + place,
    st.builds(
        PACK,
        heads,
        ids.map(event_ref),
        st.integers(0, 0xFFFF),
        st.integers(0, EVERY_NEED),
        st.integers(-48, 56),
        st.integers(0, 8),
    ),
    st.binary(min_size=6, max_size=6),
)


@pytest.mark.parametrize(
    "event",
    [
        "1",
        "e-17",
        "exactly 16 bytes",
        "caffè",
        "0" * 32,
        "d41d8cd98f00b204e9800998ecf8427e",
        "123e4567-e89b-12d3-a456-426614174000",
        "123E4567-E89B-12D3-A456-426614174000",
    ],
)
def test_ids_come_back_as_they_were_sent(event: str) -> None:
    """Short text, 32 hex digits and UUIDs in either case are kept exactly, in 17 bytes."""
    assert (REF_SIZE, event) == (len(event_ref(event)), event_text(event_ref(event)))


@pytest.mark.parametrize(
    "event",
    [
        "a text of 17 byte", "caffècaffècaffè", "D41D8CD98F00B204E9800998ECF8427E",
        "123E4567-e89b-12d3-a456-426614174000",
        "123e4567e89b-12d3-a456-4266141-74000", "d4 1d8cd98f00b204e9800998ecf8427", "x" * 256,
    ],
)  # fmt: skip
def test_long_ids_are_named_by_their_hash(event: str) -> None:
    """All others by a hash that says so: nothing that only looks like a UUID comes back as one."""
    text = event_text(event_ref(event))
    assert (REF_SIZE, "blake2b:", 32) == (len(event_ref(event)), text[:8], len(text[8:]))


@LAW
@given(st.lists(ids, unique=True, max_size=20))
def test_different_ids_stay_different(events: list[str]) -> None:
    """No two ids share their bytes or their text, and each is its own text or a hash."""
    refs = [event_ref(event) for event in events]
    assert len(set(refs)) == len({event_text(ref) for ref in refs}) == len(events)
    assert all(
        event_text(ref) == event or event_text(ref).startswith("blake2b:")
        for ref, event in zip(refs, events, strict=True)
    )


@LAW
@given(heads)
def test_a_head_can_be_taken_apart(h: int) -> None:
    """Time, mark, certainty and dimensions can be read off a head."""
    assert h == head_of(h >> TIME, h >> INTENT & 7, bool(h & SURE), h & DIMS)


@LAW
@given(st.lists(records, max_size=12))
def test_the_order_of_bytes_is_the_order_of_signals(rows: list[bytes]) -> None:
    """By time, mark, certainty, dimensions, then the bytes that stand
    for the id: as docs/journeys.md has it.
    """

    def in_words(record: bytes) -> tuple[int, int, bool, int, bytes]:
        h, ref, *_ = RECORD.unpack(record)
        return h >> TIME, h >> INTENT & 7, bool(h & SURE), h & DIMS, ref

    assert sorted(map(in_words, rows)) == [in_words(record) for record in sorted(rows)]


@LAW
@given(st.lists(records, max_size=12), records)
def test_the_place_of_a_record(rows: list[bytes], record: bytes) -> None:
    """As many records lie before its place as are smaller."""
    rows.sort()
    assert sum(row < record for row in rows) == position_of(b"".join(rows), record)


@LAW
@given(st.lists(records, max_size=12), st.integers(0, 12), st.binary(min_size=17, max_size=17))
def test_an_event_is_found_where_it_is(rows: list[bytes], start: int, other: bytes) -> None:
    """The first record from a number on with these 17 bytes as its
    id, and nothing else that looks like it.
    """
    journal = b"".join(rows)
    refs = [RECORD.unpack(row)[1] for row in rows]
    for ref in [*refs, other]:
        expected = next((n for n in range(start, len(refs)) if refs[n] == ref), -1)
        assert expected == find_event(journal, ref, start)


def test_a_hit_across_two_records_is_no_hit() -> None:
    """Bytes that straddle records are looked past, and the real one after them is found."""
    refs = event_ref("a"), event_ref("b")
    journal = b"".join(PACK(n, ref, 0, 0, 0, 0) + NO_PLACE for n, ref in enumerate(refs))
    across = journal[SIZE - 9 : SIZE + 8]
    assert -1 == find_event(journal, across)
    assert 2 == find_event(journal + PACK(3, across, 0, 0, 0, 0) + NO_PLACE, across)


def test_time_of_a_record() -> None:
    """Read off its first bytes, at both ends of what 44 bits hold."""
    heads = head_of(0, 0, True, 7), head_of(2**44 - 1, 5, True, 7)
    journal = b"".join(PACK(head, event_ref("a"), 0, 0, 0, 0) + NO_PLACE for head in heads)
    assert [0, 2**44 - 1] == [time_at(journal, n) for n in (0, 1)]


def test_orders_are_told_apart() -> None:
    """Eight bytes per order id; equal ids are equal."""
    assert (8, True, False) == (
        len(order_ref("A-1")),
        order_ref("A-1") == order_ref("A-1"),
        order_ref("A-1") == order_ref("a-1"),
    )
