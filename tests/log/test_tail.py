"""The table of a follower changes from what was to what is, never through a state that was not."""

from streams.log.tail import FollowedTable, Tail, TailPosition
from streams.records import Record


def tail(*pairs: tuple[bytes, bytes | None], anew: bool = False, at_end: bool = True) -> Tail:
    records = [Record(number, -1, key, value) for number, (key, value) in enumerate(pairs)]
    return Tail(records, TailPosition(len(pairs)), anew, at_end)


def content(table: FollowedTable) -> dict[bytes, bytes | None]:
    return {key: record.value for key, record in table.records.items()}


def test_the_last_record_of_each_key_stays() -> None:
    """A tombstone removes its key, and a record after it brings the key back."""
    table = FollowedTable()
    table.apply(tail((b"a", b"1"), (b"b", b"1"), (b"a", None), (b"c", None), (b"b", b"2")))
    assert content(table) == {b"b": b"2"}
    table.apply(tail((b"a", b"3")))
    assert content(table) == {b"a": b"3", b"b": b"2"}


def test_what_is_not_met_again_goes_at_the_end() -> None:
    """Until then it stays: nobody sees a table that is half empty."""
    table = FollowedTable()
    table.apply(tail((b"a", b"1"), (b"b", b"1"), (b"c", b"1")))
    assert table.apply(tail((b"b", b"2"), anew=True, at_end=False)) == [b"b"]
    assert content(table) == {b"a": b"1", b"b": b"2", b"c": b"1"}
    assert sorted(table.apply(tail((b"d", b"2")))) == [b"a", b"c", b"d"]
    assert content(table) == {b"b": b"2", b"d": b"2"}


def test_reading_anew_can_begin_anew() -> None:
    """What was met in the first attempt is not confirmed by it."""
    table = FollowedTable()
    table.apply(tail((b"a", b"1"), (b"b", b"1")))
    table.apply(tail((b"a", b"1"), anew=True, at_end=False))
    table.apply(tail((b"b", b"1"), anew=True, at_end=True))
    assert content(table) == {b"b": b"1"}


def test_keys_that_may_have_changed_are_named_once() -> None:
    """In the order in which they came."""
    assert FollowedTable().apply(tail((b"b", b"1"), (b"a", b"1"), (b"b", None))) == [b"b", b"a"]
