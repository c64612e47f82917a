"""Where the event of each held step was read: the law over several partitions, with identity, copies, late
events and restarts, and what becomes of a place on its ways.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.identity.redriving import given_again
from streams.core.journeys import trimming
from streams.core.journeys.signal import NO_PLACE
from streams.core.processing import places
from streams.core.processing.held_profile import held_profiles
from streams.core.processing.places import place_at, source_code, source_of_place
from streams.core.processing.processor import Processor
from tests import identity_oracle
from tests.core.processing.feeding import DAY, HOUR, MINUTE, Feed, event
from tests.core.processing.test_connecting import raw
from tests.core.processing.test_identity_redriving import late_at_user, owned, redrive
from tests.laws.redriving_devices import letters
from tests.laws.test_identity_partitions import LAW, Cluster, days

FAR_BEHIND = 30 * DAY
Place = tuple[str, int] | None


def held(processor: Processor) -> Iterator[tuple[str, dict[str, Any], Place]]:
    """Each held step of each profile: the profile's name, the step, and where its event was read."""
    for p in processor.population.profiles:
        for found in held_profiles(processor, [p.key], processor.checkpoint.rev, has_tenants=False):
            for value, place in zip(found.transitions, found.read_at, strict=True):
                yield p.key, json.loads(bytes(value)), place


def check(cluster: Cluster) -> int:
    """Every place is that of a record with the event of its step, and of whoever sent it. Returns how many
    steps have one.
    """
    count = 0
    for part in cluster.parts:
        steps = list(held(part.processor))
        assert steps == list(held(part.open())), "a restart changes no place"
        for profile, step, place in steps:
            if step["event"] is None:
                assert place is None, "no event has caused it"
                continue
            assert place is not None, step
            (topic, number), offset = place[0].split(":"), place[1]
            assert "events" == topic
            sent = json.loads(cluster.parts[int(number)].input[offset].value or b"")
            device = step.get("device")
            whose = f"u:{sent['userId']}" if "userId" in sent else f"d:{sent['anonymousId']}"
            assert step["event"] == sent["messageId"]
            assert whose == (f"d:{device}" if device else profile)
            count += 1
    return count


@LAW
@given(days(), st.integers(1, 4), st.randoms(use_true_random=False), st.booleans())
def test_the_place_of_a_held_step_is_that_of_its_event(
    day: list[tuple[bytes, identity_oracle.Event]], partitions: int, rnd: random.Random, is_late: bool
) -> None:
    """However events are spread, copied, late and given away, whichever batches are lost, and after a
    restart, too.
    """
    cluster, sent = Cluster(partitions), list[bytes]()
    for value, _ in day:
        sent.append(value)
        cluster.add(value, rnd.randrange(partitions))
        if rnd.random() < 0.3:
            cluster.add(rnd.choice(sent), rnd.randrange(partitions))  # a copy
        part = rnd.choice(cluster.parts)
        part.step(rnd.randrange(4), rnd.randrange(6), commit=rnd.random() < 0.8)
    cluster.drain()
    check(cluster)
    if is_late:
        for value in sent:  # all is there once more, most of it too late
            cluster.add(value, rnd.randrange(partitions))
        cluster.drain()
        check(cluster)


def test_a_given_event_has_the_place_where_its_device_was_read() -> None:
    """In another partition, before anybody signed in; taken back, it has it still."""
    cluster = Cluster(4)
    cluster.add(raw(0, "visit", device="phone"), 2)
    cluster.drain()
    cluster.add(raw(HOUR, "in", "Signed In", user="ann", device="phone"), 1)
    cluster.drain()
    places = {(p, s["event"], place) for part in cluster.parts for p, s, place in held(part.processor)}
    assert {("u:ann", "visit", ("events:2", 0))} == places
    cluster.add(raw(MINUTE, "in-2", "Signed In", user="ben", device="phone"), 3)
    cluster.drain()
    places = {(p, s["event"], place) for part in cluster.parts for p, s, place in held(part.processor)}
    assert {("u:ben", "visit", ("events:2", 0))} == places
    assert 1 == check(cluster)


@pytest.mark.parametrize(("second", "expected"), [(event(0, "a"), 0), (event(-MINUTE, "a"), 1)])
def test_the_copy_that_counts_keeps_its_place(second: bytes, expected: int) -> None:
    """Of equal copies the first one that was read; a smaller one brings its own."""
    feed = Feed()
    feed.take(event(0, "a"), second)
    assert [("events:0", expected)] == [place for _, _, place in held(feed.processor)]
    feed.reopen()
    assert [("events:0", expected)] == [place for _, _, place in held(feed.processor)]


def test_the_places_of_a_busy_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folding takes none away from the steps that are held; one whose signal is forgotten has none."""
    monkeypatch.setattr(trimming, "MAX_LIVE_SIGNALS", 16)
    monkeypatch.setattr(trimming, "MAX_FOLDED_IDS", 8)
    feed = Feed()
    for n in range(60):
        feed.take(event(n * HOUR, f"e{n}", "Bought" if n % 2 else "Looked"))
        for _, step, place in held(feed.processor):
            assert step["event"] is None or place == ("events:0", int(step["event"][1:]))
    assert 0 < len(list(held(feed.processor))) < 60


def test_a_redriven_event_has_the_place_where_it_was_read_first() -> None:
    """Not that of the dead letter, nor of the inbox."""
    cluster = Cluster(2)
    cluster.add(raw(20 * DAY, "now", user="zoe"), 0)
    cluster.add(raw(20 * DAY, "now-2", user="zoe"), 1)
    cluster.drain()
    cluster.add(raw(0, "visit", user="ann"), 1)
    cluster.drain()
    (letter,) = letters(cluster)
    assert "applied" == redrive(cluster, letter).outcome
    found = [place for part in cluster.parts for p, _, place in held(part.processor) if p == "u:ann"]
    assert ("events:1", 1) == found[0]
    check(cluster)


def test_where_an_event_in_canonical_form_was_read_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is forgotten with the device; while the device knows it, it is known."""
    cluster, device, ann = Cluster(2), owned("d", 0, 2), owned("a", 1, 2)
    late = late_at_user(cluster, device, ann, monkeypatch)
    empty = Cluster(2)
    assert "applied" == redrive(empty, late).outcome
    ((whose, _, place),) = [one for part in empty.parts for one in held(part.processor)]
    assert (f"d:{device}", None) == (whose, place)


def test_an_event_that_is_given_once_more_has_its_place() -> None:
    """A redriven copy of it in canonical form has none, and its device knows where it was read."""
    cluster = Cluster(1)
    cluster.add(raw(0, "search", device="phone"), 0)
    cluster.add(raw(2 * MINUTE, "in", "Signed In", user="ann", device="phone"), 0)
    cluster.drain()
    connector = cluster.parts[0].processor.connector
    assert connector is not None
    device = connector.devices.get("d:phone")
    assert device is not None
    ((known,),) = [(device.given or {}).values()]
    again = given_again(connector.devices, device.key, msgspec.structs.replace(known.signal, place=NO_PLACE))
    assert again is not None
    assert (known.signal,) == again.signals
    assert NO_PLACE != known.signal.place


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["a:0", "b:0", "a:1"]), max_size=5), st.integers(0, places.MAX_OFFSET))
def test_a_place_is_read_as_it_was_written(names: list[str], offset: int) -> None:
    """Whatever the offset, and however many sources there are."""
    sources: list[str] = []
    written = [(name, place_at(source_code(sources, name), offset)) for name in names]
    assert [(name, offset) for name in names] == [source_of_place(sources, place) for _, place in written]
    assert len({*names}) == len(sources)


def test_what_has_no_room_in_a_place_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offset beyond the bits that there are, one that no record has, and a source of which there are too
    many.
    """
    monkeypatch.setattr(places, "MAX_SOURCE_CODES", 1)
    sources: list[str] = []
    code = source_code(sources, "a:0")
    assert ("a:0", places.MAX_OFFSET) == source_of_place(sources, place_at(code, places.MAX_OFFSET))
    for place in (
        place_at(code, places.MAX_OFFSET + 1),
        place_at(code, -1),
        place_at(source_code(sources, "b:0"), 1),
    ):
        assert place == NO_PLACE
        assert source_of_place(sources, place) is None
    assert ["a:0"] == sources
