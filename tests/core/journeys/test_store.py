"""What is stored of a profile is all of it: restored, it is the profile that was saved."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.journeys.profile import SEGMENT, Profile, folded_journal
from streams.core.journeys.signal import SIZE
from streams.core.journeys.store import (
    BASE_PART,
    HEAD_PART,
    ProfilePart,
    load_profile,
    save_profile,
    tombstones,
)
from tests.core.journeys.people import BUY, DAY, HOUR, KNOW, REFUND, TRUTH, People

NOT_STORED = {"armed_ms", "tidy_ms"}  # when to look again is worked out anew


def content(p: Profile) -> dict[str, object]:
    """All of a profile that its owner relies on."""
    return {name: getattr(p, name) for name in p.__struct_fields__ if name not in NOT_STORED}


def stored_again(people: People) -> Profile:
    return load_profile("u:1", people.store["u:1"], people.population.timers_fired_ms, people.patience)


steps = st.tuples(
    st.integers(0, 60).map(lambda h: h * 6 * HOUR),
    st.integers(0, 30).map(lambda n: f"e{n}"),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([("",), ("car",), ("car", "coffee")]),
    st.sampled_from([None, None, "o1", "o2"]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(steps, max_size=60))
def test_restored_is_what_was_saved(
    history: list[tuple[int, str, int, bool, tuple[str, ...], str | None, bool]],
) -> None:
    """After every commit, whatever changed, was folded, dropped or
    shrank: the records give the profile back.
    """
    people = People()
    for at, event, mark, sure, needs, order, commit in sorted(history, key=lambda step: step[0] // (2 * DAY)):
        if at < people.population.watermark_ms - people.population.finality.allowed_lateness_ms:
            continue
        people.put(
            at,
            f"{event}-{at // (2 * DAY)}",
            mark,
            sure=sure,
            needs=needs,
            order=order if mark >= BUY else None,
        )
        if commit:
            people.tick()
            if "u:1" in people.store:
                saved, live = stored_again(people), people.profile()
                assert {part.number for part in tombstones(live)} == set(people.store["u:1"])
                assert folded_journal(saved) + saved.journal == folded_journal(live) + live.journal
                assert [s for s in saved.states if s.journey] == [s for s in live.states if s.journey]
                assert (saved.facts, saved.begun, saved.final_ms, saved.newest_head) == (
                    live.facts,
                    live.begun,
                    live.final_ms,
                    live.newest_head,
                )


def test_a_saved_profile_comes_back_whole() -> None:
    """Every field but the clocks, with a base, orders, a refund and several needs."""
    people = People()
    for n in range(40):
        people.put(n * DAY, f"look{n}", n % 4, needs=("car",))
        people.put(n * DAY + HOUR, f"order{n}", TRUTH, needs=("car", "coffee"), order=f"o{n}")
        people.tick()
    people.put(39 * DAY + 2 * HOUR, "back", REFUND, order="o20")
    people.tick()
    assert people.profile().base is not None
    assert content(people.profile()) == content(stored_again(people))


def written(p: Profile) -> dict[int, bytes | None]:
    out: list[ProfilePart] = []
    save_profile(p, out)
    assert {p.key} == {part.key for part in out}
    return {part.number: part.value for part in out}


def test_only_what_changed_is_written() -> None:
    """An event in order rewrites the head; full segments are written once."""
    people = People()
    for n in range(3 * SEGMENT + 1):
        people.put(n, f"e{n}")
    people.commit()
    p = people.profile()
    people.put(100, "one more")
    assert [HEAD_PART] == list(written(p))
    people.put(SEGMENT + 1, "late", KNOW, sure=False)
    assert [HEAD_PART, 1, 2] == list(written(p))


def test_segments_that_are_no_longer_there_are_taken_away() -> None:
    """A smaller copy of an event about fewer needs shrinks the journal: sealed
    segments beyond its end get a tombstone.
    """
    needs = tuple(f"need {n:02}" for n in range(2 * SEGMENT))
    people = People()
    people.put(2 * HOUR, "wide", needs=needs)
    people.commit()
    assert {HEAD_PART, BASE_PART, 0, 1} == set(people.store["u:1"])
    people.put(HOUR, "wide", needs=needs[:1])
    assert {0: None, 1: None} == {
        number: value for number, value in written(people.profile()).items() if number != HEAD_PART
    }
    people.put(HOUR - 1, "wide", needs=needs[:2])
    people.commit()
    assert 2 * SIZE == len(people.profile().journal)
    left = {number: people.store["u:1"][number] for number in (HEAD_PART, BASE_PART)}
    assert content(people.profile()) == content(load_profile("u:1", left, -1, people.patience))


def test_a_head_is_one_value() -> None:
    """It can be read without this program: MessagePack, with the journal's last records at its end."""
    people = People()
    people.put(1, "e1")
    people.commit()
    assert people.profile().journal == msgspec.msgpack.decode(people.store["u:1"][HEAD_PART])[-1]
