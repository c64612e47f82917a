"""Scores what a classifier says of labelled rows.

- An answer is a moment above the cut of 0.4, or a truth, which no search makes sure. A row is right if its
  answer is one of its labels, or if it has none and `none` is one of them.
- precision: the share of answers that are right. wrong and sure: the share of all rows with a sure wrong
  answer. false moves: the share of rows whose only label is `none` that have a sure answer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streams.core.moments.verdict import SURE_ABOVE, Explanation
from tests.moments_data import Row


class Answer(NamedTuple):
    """What was said of a row."""

    row: Row
    moment: str  # "none": no answer
    sure: bool
    rule: str

    @property
    def right(self) -> bool:
        """True if it is one of the row's labels."""
        return self.moment in self.row.moments

    @property
    def moved(self) -> bool:
        """True if a row that is no moment has a sure answer."""
        return self.sure and self.row.moments == ("none",)


class Score(NamedTuple):
    """The figures of some answers, each a share from 0 to 1."""

    rows: int
    accuracy: float
    precision: float
    wrong_and_sure: float
    false_moves: float

    def line(self) -> str:
        """The figures as a line for a person."""
        return (
            f"{self.rows:5} rows  accuracy {self.accuracy:.3f}  precision {self.precision:.3f}  "
            f"wrong and sure {self.wrong_and_sure:.3f}  false moves {self.false_moves:.3f}"
        )


def answer(row: Row, said: Explanation) -> Answer:
    """What an explanation says of a row."""
    answered = said.verdict is not None and said.confidence > SURE_ABOVE
    sure = said.verdict is not None and said.verdict.sure
    return Answer(row, said.moment if answered else "none", sure, said.rule or "no rule")


def score(answers: Iterable[Answer]) -> Score:
    """The figures of these answers."""
    rows = list(answers)
    answered = [each for each in rows if each.moment != "none"]
    empty = [each for each in rows if each.row.moments == ("none",)]
    return Score(
        len(rows),
        _share(sum(each.right for each in rows), len(rows)),
        _share(sum(each.right for each in answered), len(answered)),
        _share(sum(each.sure and not each.right for each in rows), len(rows)),
        _share(sum(each.moved for each in empty), len(empty)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
