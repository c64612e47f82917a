"""Different texts are counted exactly up to a bound, and nearly so beyond it."""

import pytest

from streams.queries.distinct import DistinctCounter


@pytest.mark.parametrize(("different", "most"), [(0, 10), (9, 10), (1_000, 2_000)])
def test_few_are_counted_exactly(different: int, most: int) -> None:
    """Copies count once."""
    counter = DistinctCounter(most)
    for n in range(3 * different):
        counter.add(f"p{n % different}")
    assert (different, True) == (counter.count, counter.is_exact)


def test_many_are_counted_nearly() -> None:
    """What is kept is bounded, and the count is right to a few hundredths."""
    counter = DistinctCounter(1_000)
    for n in range(60_000):
        counter.add(f"p{n % 20_000}")
    assert not counter.is_exact
    assert 20_000 == pytest.approx(counter.count, rel=0.1)
