"""Devices beyond the laws: what is sent and how often, caps, and what is kept for how long."""

import pytest

from streams.core.identity import devices as devices_module
from streams.core.identity.device import DevicePart
from streams.core.identity.devices import LINK_COUNTS, LINK_KNOWN, LINK_LATE, Devices
from streams.core.identity.links import LINK_QUARTER_MS, MAX_LINKS, Link, Spans, keep_links_ms
from streams.core.identity.moves import Give, Take
from streams.core.journeys import trimming
from streams.core.journeys.finality import FinalityDelay
from streams.core.journeys.moving import give_signals, take_signals
from streams.core.journeys.origins import EventOrigin, find_origin
from streams.core.journeys.population import Population
from streams.core.journeys.signal import REF_AT, SIZE, Signal, event_ref, facts_key, given_ref, head_of
from streams.core.journeys.state import Patience

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
START = 100 * DAY
KNOW, BUY, TRUTH = 0, 3, 4
PHONE, ANN, BEN = "d:phone", "u:ann", "u:ben"
SPANS = Spans()
LATENESS = 2 * DAY


def partition() -> Devices:
    """An empty partition with identity on, as it is set by default."""
    return Devices(Population(Patience(), FinalityDelay(LATENESS, SPANS.back_ms)), SPANS)


def signal(at: int, name: str, mark: int = KNOW) -> Signal:
    return Signal(head_of(at, mark, True, 0), event_ref(name), 0, 0)


def link(at: int, user: str = ANN) -> Link:
    return Link(at, user, event_ref(f"link-{user}-{at}"))


def refs(take: Take) -> set[bytes]:
    """The ids of the events of a message."""
    return {name[REF_AT:] for name in take.events}


def named(at: int, name: str) -> bytes:
    """What a message calls an event by."""
    sent = signal(at, name)
    return facts_key(sent.head, sent.ref)


def reach(devices: Devices, at: int) -> None:
    """Lets the watermark and the settled mark come to a time, and time do what it does."""
    devices.decide()
    devices.population.watermark_ms = max(devices.population.watermark_ms, at)
    devices.population.advance(at - 1, 10**9)
    devices.population.housekeep(10**9)
    devices.housekeep(10**9)


def test_one_message_for_all_that_moves_in_a_batch() -> None:
    """A link that moves 20 events is one message, one change of the device and one of the user."""
    devices = partition()
    for n in range(20):
        devices.take_event(PHONE, signal(START + n * MINUTE, f"e{n}", n % 4))
    devices.population.changes = []
    assert devices.take_link(PHONE, link(START + HOUR)) == LINK_COUNTS
    devices.decide()
    (give,) = devices.moves
    assert isinstance(give, Give)
    assert (ANN, PHONE, 20) == (give.user, give.device, len(give.signals))
    assert len(devices.population.changes) == 1
    give_signals(devices.population, ANN, "phone", give.signals, PHONE)
    assert len(devices.population.changes) == 2


def test_what_comes_and_moves_in_one_batch_is_told_once() -> None:
    """Ben is never told of an event that was his for a moment within a batch."""
    devices = partition()
    devices.take_link(PHONE, link(START, BEN))
    devices.take_event(PHONE, signal(START + HOUR, "e"))
    devices.take_link(PHONE, link(START + 50 * MINUTE, ANN))
    devices.decide()
    assert [(type(move), move.user) for move in devices.moves] == [(Give, ANN)]


def test_from_one_user_to_another() -> None:
    """A later link takes the event from one user and gives it to the other, once each."""
    devices = partition()
    devices.take_link(PHONE, link(START, BEN))
    devices.take_event(PHONE, signal(START + HOUR, "e"))
    devices.decide()
    devices.commit()
    devices.take_link(PHONE, link(START + 50 * MINUTE, ANN))
    devices.decide()
    assert [(type(move), move.user) for move in devices.moves] == [(Take, BEN), (Give, ANN)]


def test_a_link_that_is_known_is_never_late() -> None:
    """A link that comes again when it is old says nothing new; another one of that time is late."""
    devices = partition()
    devices.take_link(PHONE, link(START))
    reach(devices, START + LATENESS + 1)
    assert devices.take_link(PHONE, link(START)) == LINK_KNOWN
    assert devices.take_link(PHONE, link(START, BEN)) == LINK_LATE
    assert devices.take_link("d:other", link(START, BEN)) == LINK_LATE
    assert len(devices) == 1


def test_a_device_with_too_many_links_is_shared_for_good() -> None:
    """A kiosk on which somebody else signs in each quarter of an hour: with one link too many it stays with
    what it gave, and gives no more. It is forgotten when nobody has signed in there for as long as a link
    can count.
    """
    devices = partition()
    population = devices.population
    devices.take_link(PHONE, link(START))
    devices.take_event(PHONE, signal(START + MINUTE, "early"))
    devices.decide()
    assert [move.user for move in devices.moves] == [ANN]
    devices.commit()
    for n in range(1, MAX_LINKS + 1):
        devices.take_link(PHONE, link(START + n * 15 * MINUTE, f"u:{n}"))
    assert 1 == devices.counts.full
    last_ms = START + MAX_LINKS * 15 * MINUTE
    devices.take_event(PHONE, signal(last_ms + MINUTE, "late"))
    devices.take_link(PHONE, link(last_ms + 15 * MINUTE, ANN))
    devices.take_event(PHONE, signal(last_ms + 16 * MINUTE, "later"))
    devices.decide()
    assert [] == devices.moves
    assert 2 == len(population.profiles.get(PHONE).journal) // SIZE  # type: ignore[union-attr]
    kept_ms = keep_links_ms(population.finality.change_ms, SPANS, several_users=True)
    reach(devices, last_ms + 15 * MINUTE + kept_ms)
    assert devices.get(PHONE) is not None
    reach(devices, last_ms + 15 * MINUTE + kept_ms + 1)
    assert devices.get(PHONE) is None


def test_of_too_many_given_events_the_oldest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that has given more events than it keeps cannot take the oldest back; the others move."""
    monkeypatch.setattr(devices_module, "MAX_GIVEN", 3)
    devices = partition()
    devices.take_link(PHONE, link(START, BEN))
    for n in range(5):
        devices.take_event(PHONE, signal(START + HOUR + n, f"e{n}"))
    devices.decide()
    assert 2 == devices.counts.settled_early
    devices.commit()
    devices.take_link(PHONE, link(START + 50 * MINUTE, ANN))
    devices.decide()
    take, give = devices.moves
    assert isinstance(take, Take)
    assert isinstance(give, Give)
    assert {event_ref(f"e{n}") for n in (2, 3, 4)} == refs(take) == {s.ref for s in give.signals}


def test_what_a_user_over_the_cap_has_folded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user over the cap: what is given before the base counts nowhere, and what was folded is not taken."""
    monkeypatch.setattr(trimming, "MAX_LIVE_SIGNALS", 16)
    population = partition().population
    population.watermark_ms = START
    give_signals(population, ANN, "phone", [signal(START + n, f"e{n}") for n in range(40)], PHONE)
    moved = give_signals(population, ANN, "phone", [signal(START - 1, "old")], PHONE)
    assert [given_ref("phone", event_ref("old"))] == [s.ref for s in moved.over_cap]
    gone = [named(START, "e0"), named(START + 39, "e39"), named(START - 1, "old")]
    moved = take_signals(population, ANN, "phone", gone, PHONE)
    assert (1, 1, []) == (moved.kept, moved.applied, moved.inconsistent)


def test_a_take_that_finds_nothing_is_a_defect() -> None:
    """It is counted, and the rest of the message is done."""
    population = partition().population
    give_signals(population, ANN, "phone", [signal(START, "e")], PHONE)
    moved = take_signals(population, ANN, "phone", [named(START, "none"), named(START, "e")], PHONE)
    lost = signal(START, "none").head.to_bytes(REF_AT, "big") + given_ref("phone", event_ref("none"))
    assert ([lost], 1) == (moved.inconsistent, moved.applied)
    assert 1 == len(take_signals(population, BEN, "phone", [named(START, "e")], PHONE).inconsistent)
    give_signals(population, ANN, "phone", [signal(START, "e")], PHONE)
    assert 1 == len(give_signals(population, ANN, "phone", [signal(START, "e")], PHONE).inconsistent)


def test_a_device_that_gave_all_away_is_nobody() -> None:
    """Its profile goes at the next housekeeping, and is not counted among the people that were forgotten."""
    devices = partition()
    devices.take_event(PHONE, signal(START, "e"))
    devices.take_link(PHONE, link(START + HOUR))
    devices.population.watermark_ms = START + HOUR
    reach(devices, START + HOUR)
    assert devices.population.profiles.get(PHONE) is None
    assert [PHONE] == [p.key for p in devices.population.forgotten]
    assert 0 == devices.population.forgotten_without_journey


def test_a_device_is_kept_for_as_long_as_it_can_matter() -> None:
    """What it gave for the finality delay and a lateness, its link for 39 days and a quarter of an hour; then
    nothing is left.
    """
    devices = partition()
    devices.take_link(PHONE, link(START))
    devices.take_event(PHONE, signal(START + MINUTE, "e"))
    delay = devices.population.finality
    reach(devices, START + MINUTE + delay.known_ms)
    assert devices.get(PHONE).given  # type: ignore[union-attr]
    reach(devices, START + MINUTE + delay.known_ms + 1)
    assert devices.get(PHONE).given is None  # type: ignore[union-attr]
    reach(devices, START + 39 * DAY + LINK_QUARTER_MS)
    assert devices.get(PHONE) is not None
    reach(devices, START + 39 * DAY + LINK_QUARTER_MS + 1)
    assert devices.get(PHONE) is None


def test_a_device_of_several_users_keeps_its_links_longer() -> None:
    """76 days and a quarter of an hour: a link may have to show for so long that the device was shared at a
    later one. Once the links of the others are gone, those of the last user are kept as long as one user's.
    """
    devices = partition()
    devices.take_link(PHONE, link(START, BEN))
    for day in (0, 30, 60):
        devices.take_link(PHONE, link(START + day * DAY))
    reach(devices, START + 76 * DAY + LINK_QUARTER_MS)
    assert 4 == len(devices.get(PHONE).links)  # type: ignore[union-attr]
    reach(devices, START + 76 * DAY + LINK_QUARTER_MS + 1)
    assert [START + 60 * DAY] == [kept.at_ms for kept in devices.get(PHONE).links]  # type: ignore[union-attr]
    reach(devices, START + 99 * DAY + LINK_QUARTER_MS + 1)
    assert devices.get(PHONE) is None


def test_state_is_as_it_was() -> None:
    """Each batch writes what has changed and no more; what is restored writes and decides the same."""
    devices = partition()
    stored: dict[str, dict[bytes, bytes]] = {}

    def keep(parts: list[DevicePart]) -> int:
        for part in parts:
            of = stored.setdefault(part.key, {})
            if part.value is None:
                of.pop(part.name, None)
            else:
                of[part.name] = part.value
        return len(parts)

    devices.take_link(PHONE, link(START, BEN))
    devices.take_event(PHONE, signal(START + HOUR, "e1"))
    devices.decide()
    assert 2 == keep(devices.commit())
    devices.take_event(PHONE, signal(START + HOUR + 1, "e2"))
    devices.decide()
    assert 1 == keep(devices.commit())
    devices.take_event(PHONE, signal(START + HOUR + 1, "e2"))
    devices.take_link(PHONE, link(START + MINUTE, BEN))
    devices.decide()
    assert 0 == keep(devices.commit())
    again = partition()
    again.restore(stored)
    for one in (devices, again):
        one.take_link(PHONE, link(START + 50 * MINUTE, ANN))
        one.decide()
        one.moves.sort(key=lambda move: move.user)
    assert [
        (move.user, sorted(refs(move) if isinstance(move, Take) else [s.ref for s in move.signals]))
        for move in devices.moves
    ] == [
        (move.user, sorted(refs(move) if isinstance(move, Take) else [s.ref for s in move.signals]))
        for move in again.moves
    ]


def test_the_origin_of_a_given_event_is_found() -> None:
    """Its device and its id; both stay known for as long as anything of the user names it."""
    population = partition().population
    give_signals(population, ANN, "phone", [signal(START, "e1"), signal(START + 1, "e2")], PHONE)
    give_signals(population, ANN, "desk", [signal(START + 2, "e1")], "d:desk")
    p = population.profiles.get(ANN)
    assert p is not None
    names = [given_ref("phone", event_ref("e1")), given_ref("desk", event_ref("e1"))]
    assert [EventOrigin("phone", event_ref("e1")), EventOrigin("desk", event_ref("e1"))] == [
        find_origin(p.origins, name) for name in names
    ]
    assert find_origin(p.origins, event_ref("e1")) is None
    take_signals(population, ANN, "phone", [named(START, "e1")], PHONE)
    assert find_origin(p.origins, names[0]) is not None  # its retraction is still to be published
    population.changes = []
    population.commit()
    assert find_origin(p.origins, names[0]) is None
    assert ("phone", "desk") == p.origins.devices  # type: ignore[union-attr]
