"""The laws of redriven events: they join the set, wherever nothing final lies behind them."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.journeys.folding import APPLIED, DUPLICATE, FINAL
from streams.core.journeys.journey_step import KIND_NAMES
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.redriving import redrive_event
from streams.core.journeys.signal import REF_AT, TIME, event_ref
from streams.core.journeys.summary import JourneySummary
from tests import oracle
from tests.laws.driving import (
    counted,
    expected,
    expected_unmatched,
    figures,
    named_apart,
    over_all_time,
    signal_of,
)
from tests.laws.test_journeys import EVENTS, LAW, OF, H, Life, signals, small, tidy


class RedrivenLife(Life):
    """A population to which events are redriven, and what must be true of it."""

    def __init__(self, allowed_lateness: int) -> None:
        super().__init__(allowed_lateness)
        # Of whom, need, journey, how it ended, by which refund; and the money.
        self.finals_told: list[tuple[tuple[str, str, bytes, str, bytes], tuple[int | None, int, int]]] = []
        self.former: list[tuple[str, list[oracle.Signal]]] = []  # histories that were forgotten
        # What was final as the first event was redriven, of those of whom nothing becomes final meanwhile.
        self.frozen: dict[str, tuple[list[oracle.Signal], int]] = {}

    def histories(self) -> dict[str, list[oracle.Signal]]:
        return self.accepted | {f"{key} {n}": past for n, (key, past) in enumerate(self.former)}

    def redrive(self, key: str, s: oracle.Signal) -> str:
        """Redrives an event where all that is due was done."""
        self.commit()
        oldest = self.population.watermark_ms - self.allowed_lateness
        held = self.population.profiles.get(key)
        now = self.accepted.get(key, [])
        if held is None or held.redriving is None:
            self.frozen[key] = ([] if held is None else [*now], oldest)
        found = redrive_event(self.population, key, signal_of(s))
        assert found.is_new == (held is None)
        if found.is_parted:
            self.former.append((key, [e for e in now if e.at < found.held_from_ms]))
            now = [e for e in now if e.at >= found.held_from_ms]
        behind = oracle.changes_final(s, now, *self.frozen[key], OF)
        if found.outcome == FINAL:
            # Of the base as it is by now: what is due by time was folded just before.
            base_end = b"" if held is None else held.base_end
            in_base = base_end and s.at <= int.from_bytes(base_end[:REF_AT], "big") >> TIME
            assert behind or in_base
            return "final"
        if found.outcome == DUPLICATE:
            assert any(e.event == s.event and oracle.history([e, s])[0] == e for e in self.accepted[key])
            return "duplicate"
        assert held is None or not behind
        if isinstance(found.outcome, LeftOut):
            s = s._replace(needs=tuple(n for n in s.needs if n not in found.outcome.needs))
        else:
            assert found.outcome == APPLIED
        self.accepted[key] = [*now, s]
        return "applied"

    def commit(self) -> None:
        self.time(self.population.watermark_ms - 1)  # tidying comes after all timers that are due
        super().commit()
        for told in self.finals:
            f, needs = told.final, told.profile.needs
            is_journey = isinstance(f, JourneySummary)
            need, journey = (f.need, f.journey) if is_journey else (f.step.need, f.step.journey)
            kind = KIND_NAMES[f.outcome if is_journey else f.step.kind]
            event = b"" if is_journey else f.step.caused_by
            about = f if is_journey else f.step
            money = (about.amount, about.currency, about.items)
            self.finals_told.append(((told.profile.key, needs[need], journey, kind, event), money))
        self.finals = []

    def check(self) -> None:
        self.said.hear(self.population, self.windows)
        timer, histories = self.population.timers_fired_ms, self.histories()
        steps = {(key.split()[0], step) for key, step in expected(histories, timer, OF)}
        assert self.said.steps() == steps
        unmatched = {(key.split()[0], found) for key, found in expected_unmatched(histories, timer, OF)}
        assert self.said.unmatched() == unmatched
        self.windows.roll_up(0)
        assert self.windows.figures.figures() == figures(histories, timer, OF)

    def check_counters(self) -> None:
        timer = self.population.timers_fired_ms
        assert over_all_time(self.windows) == counted(self.histories(), timer, OF)

    def check_finals(self, *, with_money: bool) -> None:
        """Each closing and refund has one final record at most; once time has gone far, exactly one. It has
        the money of its step (over the cap: what was known of it then).
        """
        found = Counter(name for name, _ in self.finals_told)
        assert set(found.values()) <= {1}
        closed = {
            (
                *(key.split()[0], step.need, event_ref(step.journey), step.kind),
                event_ref(step.event) if step.kind in ("partially_refunded", "refunded") else b"",
            ): (step.value, step.currency, step.pieces)
            for key, step in expected(self.histories(), self.population.timers_fired_ms, OF)
            if step.kind in ("converted", "abandoned", "partially_refunded", "refunded")
        }
        assert set(found) == set(closed)
        if with_money:
            assert dict(self.finals_told) == closed


def done(at: int, mark: int) -> oracle.Signal:
    """Something that person p did."""
    return oracle.Signal(at, "a", mark, sure=True, dims=0, offset=0, rule=0, needs=("",), order=None)


# Of a person over the cap a purchase and its refund are folded. Another refund at that time would change it.
REFUNDED_IN_THE_BASE = [
    done(0, 0),
    done(0, 0),
    done(3 * H // 2, 5),
    ("redrive", done(0, 4)),
    done(3 * H, 0),
    ("redrive", done(3 * H // 2, 5)),
]
operations = st.lists(
    st.one_of(
        *[signals] * 4,
        *[st.tuples(st.just("redrive"), signals)] * 3,
        st.tuples(st.just("time"), st.integers(0, 40 * H), st.sampled_from((1, 100))),
        st.tuples(st.just("commit")),
        st.tuples(st.just("restart")),
    ),
    max_size=30,
)


@LAW
@given(
    operations, st.sampled_from((1 * H, 2 * H, 8 * H)), st.sampled_from((1, 2, 8)), st.sampled_from((3, 256))
)
@example(REFUNDED_IN_THE_BASE, 1 * H, 1, 3)
def test_a_redriven_event_is_one_of_the_set(
    ops: list[Any], allowed_lateness: int, segment: int, cap: int
) -> None:
    """What stands said is the oracle's reading of the set with the redriven events in it, at every instant,
    and each final record is written once, after which nothing changes it.
    """
    with small(segment, cap):
        life = RedrivenLife(allowed_lateness)
        for n, op in enumerate(ops):
            match op:
                case oracle.Signal():
                    life.put("pq"[op.event in EVENTS[5:]], tidy(op)._replace(event=f"{op.event}{n}"))
                    life.check()
                case ("redrive", s):
                    life.redrive("pq"[s.event in EVENTS[5:]], tidy(s)._replace(event=f"{s.event}{n}"))
                    life.check()
                case ("time", timer, limit):
                    now_ms = life.population.watermark_ms - 1
                    life.time(max(life.population.timers_fired_ms, min(timer, now_ms)), limit)
                    life.check()
                case ("commit",):
                    life.commit()
                case ("restart",):
                    life.restart()
                    life.check()
        life.check_counters()
        life.population.watermark_ms += 1_000 * H
        life.commit()
        life.check_finals(with_money=cap == 256)


@LAW
@given(
    st.lists(signals, max_size=8),
    st.lists(signals, min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
def test_what_is_redriven_counts_in_any_order(
    history: list[oracle.Signal], late: list[oracle.Signal], rnd: Any
) -> None:
    """The items of one redrive end in the same way and say the same, whatever their order, and wherever it is
    cut into batches.
    """
    told = []
    for order in (late, rnd.sample(late, len(late))):
        with small(2, 256):
            life = RedrivenLife(2 * H)
            for n, s in enumerate(history):
                life.put("p", tidy(s)._replace(event=f"{s.event}{n}"))
            life.population.watermark_ms = max(life.population.watermark_ms, 30 * H)
            ends = {}
            for s in order:
                event = f"{s.event}-{late.index(s)}"
                ends[event] = life.redrive("p", tidy(s)._replace(event=event))
                if rnd.random() < 0.3:
                    life.restart()
            life.check()
            told.append((ends, life.said.steps()))
    assert told[0] == told[1]


@LAW
@given(st.lists(signals, min_size=1, max_size=8), st.integers(0, 20))
def test_a_copy_is_known_however_old_it_is(late: list[oracle.Signal], hours: int) -> None:
    """While what was redriven is held, a copy of it that is redriven is a duplicate. A smaller one takes its
    place.
    """
    life = RedrivenLife(2 * H)
    life.population.watermark_ms = (30 + hours) * H
    for s in late:
        s = tidy(s)._replace(event=s.event)
        s = named_apart(s, life.accepted.get("p", ()), 2 * H)
        if life.redrive("p", s) == "applied":
            assert life.redrive("p", s) == "duplicate"
            life.redrive("p", s._replace(at=max(0, s.at - 1)))
            life.check()


def signal(at: int, event: str, mark: int, *needs: str, **more: Any) -> oracle.Signal:
    """A sure one; without needs it names none."""
    plain = oracle.Signal(at, event, mark, True, 0, 0, 0, needs or ("",), None)
    return tidy(plain._replace(**more))


def ends(history: list[oracle.Signal], redriven: oracle.Signal) -> str:
    """How an event ends that is redriven long after this history. What was final stays as it is."""
    life = RedrivenLife(2 * H)
    for s in history:
        life.put("p", s)
    life.population.watermark_ms = 20 * H  # all of it is final, and nobody is forgotten
    found = life.redrive("p", redriven)
    life.check()
    life.population.watermark_ms += 1_000 * H
    life.commit()
    life.check()
    life.check_finals(with_money=True)
    return found


def test_a_purchase_does_not_take_the_beginning_of_a_final_journey() -> None:
    """A cart without a need in the grace of a purchase would be the rest of it."""
    history = [signal(10 * H, "cart", 3), signal(10 * H + 1, "order", 4)]
    assert "final" == ends(history, signal(10 * H - OF.grace, "late", 4, "car"))
    assert "applied" == ends(history, signal(10 * H - OF.grace - 1, "late", 4, "car"))
    assert "applied" == ends(history, signal(10 * H - OF.grace, "late", 3, "car"))


def test_a_purchase_does_not_take_its_part_of_a_final_refund() -> None:
    """A refund in every need would be about it, too, and in the order of the needs' names."""
    six, nine = oracle.Money(6, 0, 1, True, ()), oracle.Money(9, 0, 1, True, ())
    history = [
        signal(10 * H, "order", 4, "coffee", order="o1", money=nine),
        signal(12 * H, "back", 5, order="o1", money=six),
    ]
    bought = signal(9 * H, "late", 4, "car", order="o1", money=six)
    assert "final" == ends(history, bought)
    assert "applied" == ends(history[:1], bought)


def test_a_copy_does_not_take_the_place_of_what_is_final() -> None:
    """It is smaller, and about another need, in which nothing is final."""
    history = [signal(10 * H, "cart", 3, "coffee"), signal(10 * H + 1, "order", 4, "coffee")]
    assert "final" == ends(history, signal(9 * H, "cart", 3, "car"))
    assert "duplicate" == ends(history, signal(11 * H, "cart", 3, "car"))
    assert "applied" == ends(history, signal(9 * H, "other", 3, "car"))


@pytest.mark.parametrize("segment", [1, 8], ids=["folded", "live"])
def test_a_copy_of_what_is_final_is_a_copy(segment: int) -> None:
    """It changes nothing, so nothing keeps it out. One that would change it is kept out."""
    cart, order = signal(10 * H, "cart", 3), signal(10 * H + 1, "order", 4, order="o1")
    with small(segment, 256):
        assert "duplicate" == ends([cart, order], cart)
        assert "duplicate" == ends([cart, order], order)
        assert "duplicate" == ends([cart, order], order._replace(at=11 * H))
        assert "final" == ends([cart, order], order._replace(at=9 * H))


def test_an_update_does_not_become_a_purchase_that_takes_what_is_final() -> None:
    """An untimed update converts who is in buy: so a redriven cart would make a purchase of it."""
    history = [
        signal(10 * H - OF.grace, "edit", 4, "car", update=oracle.UNTIMED),
        signal(10 * H, "cart", 3),
        signal(10 * H + 1, "order", 4),
    ]
    assert "final" == ends(history, signal(9 * H, "late", 3, "car"))
    assert "applied" == ends(history, signal(10 * H - 1, "late", 3, "car"))
