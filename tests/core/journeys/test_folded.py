"""Folded signals are found by their ids, however many there are and whatever came and went."""

from hypothesis import given
from hypothesis import strategies as st

from streams.core.journeys.folded import INDEXED, Folded, drop_first, fold_in, knows_id
from streams.core.journeys.signal import NO_PLACE, PACK

refs = st.integers(0, 12).map(lambda n: bytes((2, n)).ljust(17, b"."))
segments = st.lists(refs, min_size=1, max_size=3)


@given(st.lists(st.one_of(segments, segments, st.none()), max_size=60))
def test_an_id_is_known_while_a_segment_has_it(changes: list[list[bytes] | None]) -> None:
    """An id that comes again, at once or later, stays known until the last segment with it is dropped."""
    folded, held = Folded(0, []), list[list[bytes]]()
    for change in changes:
        if change is not None:
            fold_in(folded, b"".join(PACK(1, ref, 0, 0, 0, 0) + NO_PLACE for ref in change))
            held.append(change)
        elif held:
            gone = held.pop(0)
            assert b"".join(PACK(1, ref, 0, 0, 0, 0) + NO_PLACE for ref in gone) == drop_first(folded)
        known = {ref for segment in held for ref in segment}
        for n in range(13):
            ref = bytes((2, n)).ljust(17, b".")
            assert (ref in known) == knows_id(folded, ref)


def test_many_have_an_index_and_few_have_none() -> None:
    """A person with few folded signals pays no memory for one."""
    folded = Folded(5, [])
    for n in range(INDEXED - 1):
        fold_in(folded, PACK(1, bytes((n,)) * 17, 0, 0, 0, 0) + NO_PLACE)
    assert folded.index is None
    fold_in(folded, PACK(1, bytes((INDEXED,)) * 17, 0, 0, 0, 0) + NO_PLACE)
    assert folded.index is not None
    assert INDEXED == len(folded.index)
