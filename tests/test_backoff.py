"""One rule for all who try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backoff import Backoff

FIRST_S, LONGEST_S = 0.05, 5.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_delays_double_up_to_a_bound(draws: list[float]) -> None:
    """A delay is never more than it should be, never less than half
    of that, and never more than the bound.
    """
    backoff, should_s = Backoff(first_s=FIRST_S, longest_s=LONGEST_S, draw=iter(draws).__next__), FIRST_S
    for _ in draws:
        assert should_s / 2 <= backoff.next_s() <= should_s <= LONGEST_S
        should_s = min(2 * should_s, LONGEST_S)


def test_after_a_success_the_delays_begin_again() -> None:
    """What failed long ago makes nobody wait."""
    backoff = Backoff(first_s=FIRST_S, longest_s=LONGEST_S, draw=lambda: 1.0)
    assert [FIRST_S, 2 * FIRST_S, 4 * FIRST_S] == [backoff.next_s() for _ in range(3)]
    backoff.reset()
    assert FIRST_S == backoff.next_s()


def test_clients_that_fail_together_do_not_come_back_together() -> None:
    """Unless a test says otherwise, a part of each delay is random."""
    assert 1 < len({Backoff(first_s=FIRST_S, longest_s=LONGEST_S).next_s() for _ in range(20)})


@pytest.mark.parametrize(("first_s", "longest_s"), [(0.0, 1.0), (2.0, 1.0)])
def test_delays_that_make_no_sense_are_refused(first_s: float, longest_s: float) -> None:
    """No delay at all would be a busy loop."""
    with pytest.raises(AssertionError):
        Backoff(first_s=first_s, longest_s=longest_s)
