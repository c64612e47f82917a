"""The same sentence says the same in English, Italian and Spanish.

A frame, in `twins/frames.tsv`, is a sentence with a gap, `{}`. It stands there in three languages, with its
other wordings behind `|` (the noun first or last, where people say both), and is read with several nouns.
"""

import csv
from pathlib import Path

import pytest

from streams.core.moments.classifier import Classifier, classifier_for
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import Explanation
from tests.moments_data import LANGUAGES

TWINS = Path(__file__).parent / "twins"


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


FRAMES = table(TWINS / "frames.tsv")
NOUNS = {row["nouns"]: row for row in table(TWINS / "nouns.tsv")}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The shipped rules, read once."""
    return classifier_for(default_rules())


def said(explained: Explanation) -> str:
    """The moment of a search, or `unsure` for one that nobody can read."""
    unread = explained.moment == "know" and explained.verdict is not None and not explained.verdict.sure
    return "unsure" if unread else explained.moment


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame["frame"])
def test_twins_say_the_same(classifier: Classifier, frame: dict[str, str], language: str) -> None:
    """Every wording of a frame has one of its moments, whatever noun stands in it."""
    nouns = NOUNS[frame["nouns"]][language].split("|") if frame["nouns"] else [""]
    sentences = [wording.format(noun) for wording in frame[language].split("|") for noun in nouns]
    read = {text: said(classifier.query(text, language)) for text in sentences}
    wrong = {text: moment for text, moment in read.items() if moment not in frame["moments"].split("/")}
    assert not wrong
