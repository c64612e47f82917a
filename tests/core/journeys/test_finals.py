"""Final records: one per journey, once it is beyond change, and never another."""

import random

import msgspec
import pytest

from schemas.journey import JourneyRecord, RefundRecord
from streams.core.funnels.currencies import currency_number
from streams.core.funnels.dimensions import Dimensions
from streams.core.ingest.door import Door
from streams.core.journeys.journey_step import CONVERTED
from streams.core.journeys.money import Money
from streams.core.journeys.profile import MAX_LIVE_SIGNALS, SEGMENT
from streams.core.journeys.summary import MAX_PATH_STAYS, JourneySummary
from streams.core.moments.rules import default_rules
from streams.core.processing.publisher import Publisher
from streams.core.processing.rulebook import Rulebook
from tests import oracle
from tests.core.journeys.people import (
    BUY,
    DAY,
    DO,
    GO,
    HORIZON,
    HOUR,
    JOIN,
    KNOW,
    MINUTE,
    REFUND,
    TRUTH,
    People,
)


def publisher() -> Publisher:
    book = Rulebook()
    book.adopt(default_rules(), Door(readers={"segment": 1}), {})
    return Publisher(0, Dimensions(), book)


def published(people: People) -> list[JourneyRecord | RefundRecord]:
    """The final records as consumers read them."""
    out = publisher()
    keep = {key: people.profile(key) for key, _ in people.finals}
    return [
        msgspec.json.decode(out.final(keep[key], final), type=JourneyRecord | RefundRecord)
        for key, final in people.finals
    ]


def test_a_journey_is_final_when_its_closing_is_older_than_the_horizon() -> None:
    """Not while it is exactly as old: an event of that instant could still come. For a purchase, that is the
    end of its join window: until then a truth may tell its money.
    """
    people = People()
    people.put(0, "look")
    people.put(HOUR, "order", TRUTH)
    people.tick(HOUR + JOIN + HORIZON)
    assert [] == people.closed()
    people.tick(HOUR + JOIN + HORIZON + 1)
    assert [("u:1", "look", "converted", HOUR)] == people.closed()
    for day in range(4, 120):
        people.tick(day * DAY)
    assert 1 == len(people.finals)


def test_a_purchase_waits_for_its_join_window_whatever_else_becomes_final() -> None:
    """A look at the person for an earlier purchase leaves a later one, which a truth may still tell of."""
    people = People()
    people.put(HOUR, "coffee", TRUTH, needs=("coffee",))
    people.put(HOUR + JOIN - 1, "tea", TRUTH, needs=("tea",))
    people.tick(HOUR + JOIN + HORIZON + 1)
    assert [("u:1", "coffee", "converted", HOUR)] == people.closed()
    people.tick(HOUR + 2 * JOIN + HORIZON)
    assert 2 == len(people.closed())


def test_what_a_late_event_changes_is_not_final_yet() -> None:
    """Up to the horizon an earlier purchase may come in, and the record tells the journey as it then is."""
    people = People()
    people.put(0, "look")
    people.put(3 * HOUR, "order", TRUTH)
    people.tick(2 * HOUR + HORIZON)
    people.put(3 * HOUR - 20 * MINUTE, "earlier copy", TRUTH)
    people.tick(3 * HOUR + JOIN + HORIZON + 1)
    assert [("u:1", "look", "converted", 3 * HOUR - 20 * MINUTE)] == people.closed()


def test_a_refund_is_a_record_of_its_own() -> None:
    """It comes when it is beyond change itself, however long after the journey's."""
    people = People()
    people.put(0, "look")
    people.put(HOUR, "order", TRUTH, order="A")
    people.tick(10 * DAY)
    people.put(60 * DAY, "back", REFUND, order="A")
    people.tick(60 * DAY + HORIZON)
    assert (1, []) == (len(people.closed()), people.refunds())
    people.tick(60 * DAY + HORIZON + 1)
    assert (1, [("look", 60 * DAY)]) == (len(people.closed()), people.refunds())
    assert ["look", "look"] == [record.journey for record in published(people)]


def test_a_profile_over_its_cap_has_its_finals_early_and_once() -> None:
    """What is folded away can't change any more, whatever the horizon says."""
    people = People()
    for n in range(2 * MAX_LIVE_SIGNALS):
        people.put(2 * n * HOUR // 20, f"look{n}", KNOW)
        people.put((2 * n + 1) * HOUR // 20, f"order{n}", TRUTH, order=f"o{n}")
        if n % 50 == 0:
            people.tick()
    assert people.closed()
    people.tick(60 * DAY)
    assert [f"look{n}" for n in range(2 * MAX_LIVE_SIGNALS)] == [
        journey for _, journey, _, _ in people.closed()
    ]


@pytest.mark.parametrize(
    ("order", "stating_order", "after_ms", "amount"),
    [
        ("A", "A", JOIN, 500),
        ("A", "A", JOIN + 1, None),  # it joins, and states the money no more
        ("A", None, JOIN, 500),
        (None, "B", JOIN, 500),
        (None, None, JOIN, 500),
        ("A", "B", JOIN, None),  # another purchase
    ],
)
def test_money_of_a_purchase_that_is_folded_over_the_cap(
    order: str | None, stating_order: str | None, after_ms: int, amount: int | None
) -> None:
    """A truth that joins in time and is still live states it."""
    people = People()
    people.put(0, "look", KNOW)
    people.put(MINUTE, "order", TRUTH, order=order)
    for n in range(SEGMENT):  # so that the truth that states the money is in another segment
        people.put((n + 2) * MINUTE, f"later{n}", KNOW)
    money = Money(500, currency_number("EUR"), by_server=True)
    people.put(MINUTE + after_ms, "server", TRUTH, order=stating_order, money=money)
    for n in range(MAX_LIVE_SIGNALS):
        people.put(JOIN + (n + 2) * MINUTE, f"busy{n}", KNOW)
    people.tick()
    (first, *_) = published(people)
    assert isinstance(first, JourneyRecord)
    assert ("look", amount) == (first.journey, first.value_minor)


def test_a_journey_that_is_folded_while_open_is_told_whole() -> None:
    """Over the cap its first steps are in the base; its record has them nevertheless."""
    people = People()
    people.put(0, "look", KNOW)
    people.put(MINUTE, "near", GO)
    for n in range(MAX_LIVE_SIGNALS + 50):
        people.put((2 + n) * MINUTE, f"how{n}", DO if n >= 30 else GO)
    people.tick()
    assert people.profile().begun
    people.put(HOUR * 6, "order", TRUTH)
    people.tick(HOUR * 6 + JOIN + HORIZON + 1)
    (record,) = published(people)
    assert isinstance(record, JourneyRecord)
    assert ["know", "go", "do", "truth"] == [step.moment for step in record.path]
    assert {"know": 60.0, "go": 31 * 60.0, "do": (6 * HOUR - 32 * MINUTE) / 1000} == record.dwell_s


def test_stays_add_up() -> None:
    """What was spent in moments is the time from opening to purchase; of an
    abandoned journey, to the last sign of life.
    """
    rnd = random.Random(5)
    people = People()
    for n in range(40):
        at, key = n * HOUR, f"u:{n}"
        for step in range(rnd.randrange(1, 9)):
            at += rnd.randrange(1, 20 * HOUR)
            people.put(at, f"e{step}", rnd.randrange(4), key=key)
            people.tick()
        if n % 2:
            people.put(at + HOUR, "order", TRUTH, key=key)
    for day in range(12, 50):
        people.tick(day * DAY)
    keep = {key: final for key, final in people.finals if isinstance(final, JourneySummary)}
    assert len(people.finals) == len(keep) == 40
    for key, final in keep.items():
        ended = final.closed_ms if final.outcome == CONVERTED else final.closed_ms - people.patience.abandon
        assert ended - final.opened_ms == sum(ms for ms in final.dwell_ms if ms > 0), key


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("restarts", [False, True], ids=["one life", "restarts"])
def test_exactly_the_oracles_closed_journeys(seed: int, restarts: bool) -> None:
    """Each closed journey of a history read with disorder, batches and
    restarts has one record, and no other has any.
    """
    rnd = random.Random(seed)
    people = People()
    accepted: list[oracle.Signal] = []
    at = 0
    for n in range(300):
        at += rnd.choice(
            (MINUTE, HOUR, HOUR, 10 * HOUR, 8 * DAY if n % 60 == 0 else HOUR, 35 * DAY if n % 100 == 0 else 0)
        )
        when = max(0, at - rnd.choice((0, 0, 0, HOUR, 30 * HOUR)))
        if when < people.population.watermark_ms - HORIZON:
            continue
        mark, needs = (
            rnd.choice((KNOW, KNOW, GO, DO, BUY, TRUTH, REFUND)),
            rnd.choice((("",), ("car",), ("car", "coffee"))),
        )
        people.put(when, f"e{n}", mark, needs=needs)
        accepted.append(oracle.Signal(when, f"e{n}", mark, True, 0, 0, 0, needs, None))
        if n % 7 == 0:
            people.tick()
        if restarts and n % 49 == 0:
            people.restart()
    people.tick(at + 200 * DAY)
    expected = [
        j for j in oracle.journeys(accepted, people.population.timers_fired_ms) if j.outcome != "open"
    ]
    refunded = [
        step
        for step in oracle.transitions(accepted, people.population.timers_fired_ms)
        if step.kind == "refunded"
    ]
    assert sorted((j.journey, j.outcome, j.closed_at) for j in expected) == sorted(
        record[1:] for record in people.closed()
    )
    assert sorted((step.journey, step.at) for step in refunded) == sorted(people.refunds())
    assert ["u:1"] == people.forgotten


def test_a_very_long_path_is_cut_and_says_so() -> None:
    """`path` has the first MAX_PATH_STAYS moments, `steps` says how
    many there were, `dwell_s` is over all.
    """
    people = People()
    for n in range(MAX_PATH_STAYS + 20):
        people.put(n * MINUTE, f"e{n}", n % 2)
    people.put((MAX_PATH_STAYS + 20) * MINUTE, "order", TRUTH)
    people.tick(4 * DAY)
    (record,) = published(people)
    assert isinstance(record, JourneyRecord)
    assert (MAX_PATH_STAYS, MAX_PATH_STAYS + 21) == (len(record.path), record.steps)
    assert {"know": 42 * 60.0, "go": 42 * 60.0} == record.dwell_s
