"""Dead letters of what moves between devices and users, and what is counted of it."""

from typing import Any

import msgspec
import pytest

from schemas import CanonicalEvent, LateHeaders
from streams.core.ingest.partition import partition_of
from streams.core.journeys import needs, trimming
from streams.core.journeys.signal import event_ref, facts_key, head_of
from streams.core.processing.inbox import PassMessage, TakeMessage, encode_message
from streams.records import Output
from tests.core.processing.feeding import DAY, HOUR, MINUTE, START, Feed
from tests.core.processing.test_connecting import ON, raw, steps
from tests.laws.test_identity_partitions import Cluster

Letter = tuple[LateHeaders, CanonicalEvent]


def letters(outputs: list[Output]) -> list[Letter]:
    """The late records in canonical form."""
    found = []
    for output in outputs:
        headers = {name: value.decode() for name, value in output.headers}
        if output.topic == "late" and headers.get("form") == "event":
            told = msgspec.convert(headers, LateHeaders, strict=False)
            found.append((told, msgspec.json.decode(output.value or b"", type=CanonicalEvent)))
    return found


def moves(feed: Feed) -> dict[str, int]:
    return feed.processor.checkpoint.counts.moves


def test_a_late_link_says_what_it_was() -> None:
    """Its event is late and lies in `late` as it came; the link is there, too, with where it was read, once.
    A link that says nothing new is none.
    """
    feed = Feed(plan=ON)
    feed.take(raw(0, "first", "Signed In", user="ann", device="phone"), raw(9 * DAY, "now", user="zoe"))
    late = raw(DAY, "old", "Bought", user="ann", device="phone")
    feed.take(late, raw(MINUTE, "known", "Signed In", user="ann", device="phone"))
    ((told, event),) = letters(feed.outputs)
    assert ("link", "d:phone", "old", 8 * DAY / 1000) == (told.reason, told.profile, told.event, told.late_s)
    assert ("events", 0, 2, 0) == (told.topic, told.partition, told.offset, told.index)
    assert ("phone", "ann", "old", None) == (event.device, event.user, event.event, event.signal)
    assert {b"phone", b"ann"} == {output.key for output in feed.of("late")}
    assert {"late_links": 1} == moves(feed)


def given_over_cap(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Ann has more signals than are kept; a guest's step before them becomes hers."""
    monkeypatch.setattr(trimming, "MAX_LIVE_SIGNALS", 16)
    feed = Feed(plan=ON)
    feed.take(raw(0, "search", device="phone", category="car"))
    feed.take(*[raw(HOUR + n * MINUTE, f"own{n}", user="ann") for n in range(40)])
    feed.take(raw(2 * MINUTE, "in", "Signed In", user="ann", device="phone"))
    return feed


def test_what_finds_no_room_is_late_as_what_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the user's record, with the device, and its signal by names."""
    feed = given_over_cap(monkeypatch)
    ((told, event),) = letters(feed.outputs)
    assert ("over_cap", "u:ann", "phone", "search") == (told.reason, told.profile, told.device, told.event)
    assert told.topic is msgspec.UNSET
    assert [b"ann"] == [output.key for output in feed.of("late")]
    assert event.signal is not None
    assert ("know", ("car",), "looked") == (event.signal.intent, event.signal.needs, event.signal.rule)
    assert 1 == moves(feed)["over_cap"]
    assert "d:phone" not in {row[0] for row in steps(feed)}


def test_a_take_of_what_found_no_room_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next user gets it, and nothing is inconsistent."""
    feed = given_over_cap(monkeypatch)
    feed.take(raw(MINUTE, "in-2", "Signed In", user="ben", device="phone"))
    assert [("u:ben", "opened", "search", "phone")] == [row for row in steps(feed) if row[0] == "u:ben"]
    assert not moves(feed).keys() & {"inconsistent", "taken"}


def test_a_need_without_a_place_is_left_out_of_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record says in which; the event counts in the others. What is given about nothing else is late, and a
    take of it finds nothing to take.
    """
    monkeypatch.setattr(needs, "MAX_NEEDS", 3)
    monkeypatch.setattr("streams.core.journeys.moving.MAX_NEEDS", 3)
    plan = msgspec.structs.replace(ON, needs=("properties.products.category",))
    feed = Feed(plan=plan)

    def about(*names: str) -> dict[str, Any]:
        return {"products": [{"category": name} for name in names]}

    feed.take(raw(0, "both", device="phone", **about("a", "x")), raw(1, "one", device="phone", **about("x")))
    feed.take(raw(HOUR, "own", user="ann", **about("a", "b")))
    feed.take(raw(2 * MINUTE, "in", "Signed In", user="ann", device="phone"))
    told = [(headers.reason, headers.event, headers.left_out) for headers, _ in letters(feed.outputs)]
    assert [("over_cap", "one", ""), ("needs_full", "both", '["x"]')] == told
    assert (1, 1, 1) == tuple(moves(feed)[word] for word in ("given", "narrowed", "over_cap"))
    feed.take(raw(MINUTE, "in-2", "Signed In", user="ben", device="phone"))
    assert (1, None) == (moves(feed)["taken"], moves(feed).get("inconsistent"))


def test_what_is_not_where_it_should_be_is_one_letter() -> None:
    """A take that finds nothing, from another partition: one record, one count, and the partition goes on."""
    cluster = Cluster(2)
    user = next(f"u{n}" for n in range(99) if partition_of(f"u{n}".encode(), 2) == 0)
    lost = facts_key(head_of(START, 0, True, 0), event_ref("lost"))
    message = encode_message(TakeMessage(f"u:{user}", "d:phone", (lost,)))
    one = cluster.parts[0]
    one.hear(Output("inbox", None, message, (), 0))
    cluster.add(raw(0, "own", user=user), 0)
    one.step(1, 1)
    ((told, event),) = letters(one.outputs)
    assert ("inconsistent", f"u:{user}", "lost", "phone") == (
        told.reason,
        told.profile,
        told.event,
        told.device,
    )
    assert ("2024-01-01T00:00:00.000Z", None) == (event.at, event.signal)
    assert {"inconsistent": 1} == one.processor.checkpoint.counts.moves
    assert 1 == one.processor.checkpoint.counts.applied


def test_events_that_are_no_link_are_counted() -> None:
    """Those of collective users and those that are ignored, each; one whose user is a placeholder is
    repaired, and is its device's.
    """
    feed = Feed(plan=ON)
    feed.take(
        raw(0, "a", user="till 3", device="phone"),
        raw(1, "b", user="kiosk", device="phone"),
        raw(2, "c", user="ann", device="phone", for_customer=True),
        raw(3, "d", user="undefined", device="phone"),
        raw(4, "e", user="ann", device="phone"),
    )
    assert {"collective": 2, "ignored": 1, "given": 1} == moves(feed)
    assert {"placeholder": 1} == feed.processor.checkpoint.counts.repaired


def test_what_comes_from_before_what_is_final_is_late_and_stays() -> None:
    """The partition of the device was excluded, and an operator let the settled mark pass it. Then it is
    back, and a link that is in time there, and late by the time of the others, moves an event.
    """
    cluster = Cluster(2)
    away = cluster.parts[partition_of(b"phone", 2)]
    here = cluster.parts[1 - away.number]
    ann, ben = [u for u in (f"u{n}" for n in range(99)) if partition_of(u.encode(), 2) == here.number][:2]
    cluster.add(raw(HOUR, "in", "Signed In", user=ann, device="phone"), here.number)
    cluster.add(raw(2 * HOUR, "seen", device="phone"), away.number)
    cluster.drain()
    cluster.add(raw(2 * HOUR + MINUTE, "in-2", "Signed In", user=ben, device="phone"), here.number)
    for day in range(2, 30, 2):
        cluster.add(raw(day * DAY, f"day-{day}", user=ann), here.number)
    here.step(1, 0)
    here.processor.tracker.excluded.add(away.number)
    here.hear(Output("inbox", None, encode_message(PassMessage(away.number)), (), here.number))
    for _ in range(3):
        here.step(99, 99)
    assert START + 28 * DAY == here.processor.population.settled_mark_ms
    cluster.drain()
    ((told, event),) = letters(here.outputs)
    assert ("settled", f"u:{ben}", "seen") == (told.reason, told.profile, told.event)
    assert ("phone", ben) == (event.device, event.user)
    assert {"given": 1, "settled": 1, "kept": 1} == here.processor.checkpoint.counts.moves
    assert START + 28 * DAY == here.processor.population.settled_mark_ms
    held = {
        profile for (_, profile), rows in cluster.standing().items() if "seen" in {row[2] for row in rows}
    }
    assert {f"u:{ann}"} == held
