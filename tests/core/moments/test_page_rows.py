"""The shipped rules on labelled pages of shops, banks, insurers and others, in three languages."""

import pytest

from tests.core.moments.examples import SHIPPED
from tests.moments_data import event_of, read_rows
from tests.moments_data.score import answer, score


@pytest.mark.parametrize("split", ["tune", "held"])
def test_pages_of_many_systems(split: str) -> None:
    """Nine of ten pages are right, two of a hundred are wrong and sure at most, and no truth is false."""
    answers = [
        answer(row, SHIPPED.explain(event_of("pages", row)))
        for row in read_rows("pages")
        if row.split == split
    ]
    assert len(answers) >= 240
    assert not [each.row.text for each in answers if each.moment == "truth" and not each.right]
    figures = score(answers)
    assert figures.accuracy >= 0.9
    assert figures.wrong_and_sure <= 0.02
