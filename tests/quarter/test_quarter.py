"""A small quarter, read at full speed by eight partitions, has the counters of the oracle."""

import pytest

from streams.core.moments.rules import default_rules
from tests.quarter.run import Plan, differences, publish

EVENTS = 6_000


@pytest.mark.parametrize("ahead_days", [1, 30])
def test_a_quarter_is_counted_as_the_oracle_counts_it(ahead_days: int) -> None:
    """Every counter of a window that is kept, however far partitions are ahead of each other."""
    plan, rules = Plan(EVENTS, ahead_days=ahead_days), default_rules()
    published = publish(plan, rules)
    assert [] == differences(plan, rules, published)
    assert published.moves["given"] > EVENTS / 20
    assert not published.moves.keys() & {"inconsistent", "kept", "over_cap"}
    apart = plan._replace(identity=False)
    assert len(differences(apart, rules, published)) > 100, "without identity other people are counted"
