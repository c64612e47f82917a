"""Recent knows the records that were added lately, and forgets old ones."""

from hypothesis import given
from hypothesis import strategies as st

from streams.host.recent import Recent

IDS, REVS = st.sampled_from("abcd"), st.integers(0, 9)


@given(st.lists(st.tuples(IDS, REVS)))
def test_a_record_is_known_when_it_or_a_newer_one_of_its_id_was_added(added: list[tuple[str, int]]) -> None:
    """A record is known exactly then."""
    recent = Recent()
    for id, rev in added:
        recent.add(id, rev)
    for id in "abcd":
        for rev in range(10):
            assert recent.knows(id, rev) == any(one == id and other >= rev for one, other in added)


def test_the_ids_longest_untouched_are_forgotten_first() -> None:
    """Adding an id again makes it the latest."""
    recent = Recent(kept=2)
    for id, rev in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        recent.add(id, rev)
    assert [recent.knows(id, 1) for id in "abc"] == [True, False, True]
