"""Confidences are the probabilities that held rows tell."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.moments.rules import default_rules
from tests.moments_data.fit import (
    LEAST_ROWS,
    Reading,
    Shipped,
    calibration_error,
    fit,
    foretold,
    readings,
    shipped,
)

FILE = Path("rules.toml")
COUNTS = st.lists(st.integers(0, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=12)


def rows(rule: str, count: int, right: int) -> list[Reading]:
    return [Reading(rule, 0.5, n < right) for n in range(count)]


def rules_of(kinds: dict[str, str]) -> dict[str, Shipped]:
    return {name: Shipped(kind, 0.5, FILE, (0, 0)) for name, kind in kinds.items()}


def test_every_shipped_rule_of_a_moment_is_found_in_its_file() -> None:
    """With the confidence that the rules in force have; none is passed over."""
    found, content = shipped(), default_rules().content
    cues = {rule.name for rule in content.cues}
    expected = {r.name: r.confidence for r in content.all if r.moment != "none" and r.name not in cues}
    assert expected == {name: rule.confidence for name, rule in found.items()}


def test_the_shipped_confidences_are_fitted() -> None:
    """`python -m tests.moments_data.fit` would change nothing, and on rows that it has not seen a confidence
    is within a twentieth of the truth.
    """
    rules, found = shipped(), readings()
    assert {} == {name: p for name, p in fit(rules, found).items() if p != rules[name].confidence}
    assert calibration_error(foretold(rules, found)) < 0.05


@given(COUNTS)
def test_a_greater_confidence_is_right_more_often(counts: list[tuple[int, int]]) -> None:
    """Rules of one confidence read enough rows together, and of two confidences the greater is right at least
    as often.
    """
    rules = rules_of({f"r{n}": "event" for n in range(len(counts))})
    found = [each for n, (count, right) in enumerate(counts) for each in rows(f"r{n}", count, right)]
    fitted, read, right = fit(rules, found), Counter[float](), Counter[float]()
    assert fitted.keys() == rules.keys()
    for n, (count, good) in enumerate(counts):
        read[fitted[f"r{n}"]] += count
        right[fitted[f"r{n}"]] += good
    shares = [(right[p] + 1) / (read[p] + 2) for p in sorted(read)]
    # Rules whose confidences are rounded to one are one here, and the share of more rows is nearer to theirs.
    assert all(low <= high + 1 / LEAST_ROWS for low, high in pairwise(shares))
    assert len(read) <= 1 or min(read.values()) >= LEAST_ROWS


def test_few_rows_say_little() -> None:
    """A rule that was wrong in its only row is near its kind, one that was often wrong is where it was."""
    rules = rules_of(dict.fromkeys(("good", "once", "often", "never"), "query"))
    found = rows("good", 200, 190) + rows("once", 1, 0) + rows("often", 60, 15)
    fitted = fit(rules, found)
    assert fitted["often"] == pytest.approx(0.26, abs=0.02)
    assert fitted["once"] >= fitted["often"]
    assert fitted["never"] >= fitted["once"]


def test_unsure_rules_stay_unsure() -> None:
    """A rule at the cut is no guess at a moment: it is not fitted."""
    rules = {"life": Shipped("event", 0.4, FILE, (0, 0)), "sure": Shipped("event", 0.6, FILE, (0, 0))}
    assert {"sure"} == fit(rules, rows("life", 50, 50) + rows("sure", 50, 40)).keys()


def test_the_calibration_error() -> None:
    """The distance between what was said and what was true, weighed by rows; unsure rows do not count."""
    found = rows("a", 10, 5) + [Reading("b", 0.95, True)] * 10 + [Reading("c", 0.3, False)] * 50
    assert 0.025 == pytest.approx(calibration_error(found))
