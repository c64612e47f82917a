"""Two edges that the simulator found: a restart amid a flood of chores, and a
copy of the very last event that was folded.
"""

from streams.core.journeys.folding import APPLIED, DUPLICATE, OVER_CAP
from streams.core.journeys.needs import LeftOut
from streams.core.journeys.profile import MAX_LIVE_SIGNALS, folded_count
from streams.core.journeys.signal import Signal, event_ref, head_of
from tests.core.journeys.people import BUY, HORIZON, JOIN, TRUTH, People


def test_chores_that_a_restart_interrupted_are_done_though_time_stands_still() -> None:
    """Final records that one batch had no room for are written after a restart, even if the input
    has ended and the mark does not move again.
    """
    people = People()
    for person in "ab":
        people.put(0, f"cart {person}", BUY, key=f"u:{person}")
        people.put(1, f"order {person}", TRUTH, key=f"u:{person}")
    people.commit()
    people.population.watermark_ms = JOIN + HORIZON + 2
    assert not people.population.housekeep(1)
    people.commit()
    assert ["u:a"] == [key for key, _ in people.finals]
    people.restart()
    people.tick()
    assert ["u:a", "u:b"] == [key for key, _ in people.finals]


def test_a_smaller_copy_of_the_last_folded_event_is_over_the_cap() -> None:
    """It would replace the other, which can't be taken back: so it is told as late.

    The same copy once more is a duplicate.
    """
    people = People()
    population = people.population

    def put(n: int, rule: int) -> int | LeftOut:
        population.watermark_ms = max(population.watermark_ms, n)
        return population.take("u:1", Signal(head_of(n, BUY, True, 0), event_ref(f"e{n}"), rule, 0))

    assert {APPLIED} == {put(n, 1) for n in range(MAX_LIVE_SIGNALS + 16)}
    folded = folded_count(people.profile())
    assert folded > 0
    assert DUPLICATE == put(folded - 1, 1)
    assert DUPLICATE == put(folded - 1, 2)
    assert OVER_CAP == put(folded - 1, 0)
    assert APPLIED == put(folded, 0)
