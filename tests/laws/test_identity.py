"""The law of docs/journeys.md, One person, several devices: whatever came first, what stands said of
everybody is what the oracle makes of the set of events.
"""

import os
import random
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.identity import devices as devices_module
from tests import oracle
from tests.identity_oracle import Event, Settings
from tests.laws.driving import FOREVER
from tests.laws.identity_driving import House
from tests.laws.test_journeys import OF, H, needs, tidy

EXAMPLES = int(os.environ.get("EXAMPLES", "400"))
LAW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
MINUTE = 60_000
SPANS = Settings(forward=6 * H, back=3 * H, shared_above=2)

GAPS_MS = (0, 0, 5 * MINUTE, 10 * MINUTE, H // 4, H // 2, H // 2, H, H, 2 * H, 3 * H, 6 * H, 9 * H)
LATE_BY_MS = (0, 0, 0, 1, 5 * MINUTE, H // 2, H)


class Act(NamedTuple):
    """One event, before its time is known: how long after the one before, and how late it comes."""

    gap: int
    late: int
    name: str
    who: tuple[str | None, str | None]
    mark: int | None
    sure: bool
    needs: tuple[str, ...]
    order: str | None
    cue: int
    tenant: str
    links: bool


# Mostly one device, and on it a guest or one of three people: so links meet events, and each other.
acts = st.builds(
    Act,
    gap=st.sampled_from(GAPS_MS),
    late=st.sampled_from(LATE_BY_MS),
    name=st.sampled_from("abcdefghijkl"),
    who=st.sampled_from(
        [(None, "phone")] * 8
        + [("ann", "phone")] * 4
        + [("ben", "phone")] * 3
        + [("zoe", "phone"), ("ann", None), (None, "desk"), ("ann", "desk")]
    ),
    mark=st.sampled_from((None, 0, 0, 1, 2, 3, 3, 4, 4, 5)),
    sure=st.sampled_from((True, True, True, False)),
    needs=needs,
    order=st.sampled_from((None, None, "o1")),
    cue=st.sampled_from((0, 0, 2)),
    tenant=st.sampled_from(("",) * 11 + ("north",)),
    links=st.sampled_from((True,) * 7 + (False,)),
)
histories = st.lists(acts, min_size=6, max_size=24)


def events_of(acts: Iterable[Any]) -> list[Any]:
    """The events of a history, each at its time; whatever is no event stays as it is."""
    now, found = H, []
    for act in acts:
        if not isinstance(act, Act):
            found.append(act)
            continue
        now += act.gap
        at, says = max(0, now - act.late), act.mark is not None or act.who[0] is None
        signal = oracle.Signal(
            at, act.name, act.mark or 0, act.sure, 0, 0, 0, act.needs, act.order, 0, act.cue
        )
        user, device = act.who
        found.append(Event(at, act.name, user, device, tidy(signal) if says else None, act.tenant, act.links))
    return found


@LAW
@given(histories, st.randoms(use_true_random=False), st.integers(-1, 40 * H))
def test_any_permutation_with_duplicates_says_the_same(
    acts: list[Act], rnd: random.Random, timer: int
) -> None:
    """The order of arrival, repetition and where batches end do not matter, counters included."""
    history = events_of(acts)
    order = history + [e for e in history if rnd.random() < 0.3]
    rnd.shuffle(order)
    house = House(SPANS, OF, FOREVER)
    for e in order:
        house.put(e)
        if rnd.random() < 0.3:
            house.end_batch()
    house.time(timer)
    house.check()
    house.check_counters()


operations = st.lists(
    st.one_of(
        *[acts] * 12,
        st.tuples(st.just("time"), st.integers(0, 40 * H)),
        st.tuples(st.just("batch")),
        st.tuples(st.just("commit")),
        st.tuples(st.just("restart")),
    ),
    min_size=8,
    max_size=40,
)


def run(house: House, ops: list[Any], *, own_ids: bool) -> None:
    """Lives through operations, and checks what stands at the end of each batch."""
    for n, op in enumerate(events_of(ops)):
        match op:
            case Event():
                e = op._replace(id=f"{op.id}{n}") if own_ids else op
                if e.signal is not None:
                    e = e._replace(signal=e.signal._replace(event=e.id))
                assert house.put(e) != "over_cap"
            case ("time", timer):
                house.check()
                latest = house.population.watermark_ms - 1 if own_ids else timer
                house.time(max(house.population.timers_fired_ms, min(timer, latest)))
                house.check()
            case ("batch",):
                house.check()
            case ("commit",):
                house.check()
                house.commit()
            case ("restart",):
                house.check()
                house.restart()
    house.check()
    house.check_counters()


@LAW
@given(operations)
def test_after_every_batch_what_stands_said_is_the_oracle(ops: list[Any]) -> None:
    """With timers, commits and restarts in between, at every instant and not only at the end."""
    run(House(SPANS, OF, FOREVER), ops, own_ids=False)


@LAW
@given(st.integers(0, 3), operations, st.sampled_from((H, 4 * H)))
def test_what_is_final_stays(thin_from: int, ops: list[Any], allowed_lateness: int) -> None:
    """Under a short lateness, where every event has an id of its own: trimming, forgetting and thinning
    change nothing, no move is refused, and what has had a final record still holds at the end.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices_module, "THIN_FROM", thin_from)
        house = House(SPANS, OF, allowed_lateness)
        run(house, ops, own_ids=True)
    house.time(house.population.watermark_ms - 1)
    house.commit()
    house.check_finals()


@LAW
@given(operations)
def test_identity_off(ops: list[Any]) -> None:
    """With identity off everybody has what they had without it."""
    off = Settings(back=0, on=False)
    run(House(off, OF, FOREVER), ops, own_ids=False)
