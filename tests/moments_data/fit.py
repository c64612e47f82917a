"""`python -m tests.moments_data.fit`: confidences that are probabilities, from the labelled rows.

The confidence of a rule is the probability that a row which it reads has its moment: the rows that are no
moment count, too. Only held rows tell it: on the others rules were tuned until they were right. Rows that
another hand wrote (`others/`) weigh OTHERS as much, since they are the likest to what is yet to come.

- A rule that reads few rows is shrunk towards its kind: (right + strength * share of the kind) / (rows +
  strength), with that strength of a few which best foretells each row from the others of its rule. A rule
  that reads none has the share of its kind.
- Rules of like shares make a bucket of at least LEAST_ROWS rows, and a bucket's share is the confidence of
  its rules. Buckets that are out of order are merged: a greater confidence is right more often.
- Rules at or below the cut are unsure by decision and stay as they are, and so do rules of no moment and
  those of a profile.

`--report` looks at confidences that were fitted on four fifths of the rows on the last fifth, five times
over: the expected calibration error, how often rules of each confidence are right, what other cuts give.
`--check` ends with 1 if the files have other confidences than this command writes.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from math import log
from pathlib import Path
from typing import NamedTuple

from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import SURE_ABOVE
from tests.moments_data import HERE, event_of, read_rows

STRENGTHS = (1, 2, 4, 8, 16, 32)
PARTS = 5
OTHERS = 3  # there are a fourth as many of them, of searches
LEAST_ROWS = 40  # then a share is known to within a tenth or so
CUTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
HIGHEST, DIGITS = 0.99, 2  # nothing is certain
# A table of a rule: its kind, its name, and its confidence, which stands after the name.
TABLE = re.compile(
    r'^\[\[(\w+)\]\]\n(?:(?!\[\[).*\n)*?name = "([^"]+)"\n(?:(?!\[\[).*\n)*?confidence = ([\d.]+)',
    re.MULTILINE,
)


class Reading(NamedTuple):
    """What a rule made of a row."""

    rule: str
    confidence: float
    right: bool  # the rule's moment is one of the row's labels
    weight: int = 1


class Shipped(NamedTuple):
    """A shipped rule of a moment."""

    kind: str
    confidence: float
    file: Path
    at: tuple[int, int]  # where in the file its confidence stands


class Bucket(NamedTuple):
    """Rules of one confidence, and the rows that they read."""

    rules: tuple[str, ...]
    rows: int
    right: int

    @property
    def share(self) -> float:
        """The share of right rows."""
        return _share(self.right, self.rows)

    def joined(self, other: "Bucket") -> "Bucket":
        """Both as one."""
        return Bucket(self.rules + other.rules, self.rows + other.rows, self.right + other.right)


def readings() -> list[Reading]:
    """What the shipped rules make of the held rows."""
    classifier, found = Classifier(default_rules()), []
    for path in sorted(HERE.rglob("*.tsv")):
        kind, _, language = path.stem.partition("_")
        for row in read_rows(path.relative_to(HERE).with_suffix("").as_posix()):
            if row.split == "held":
                said = classifier.explain(event_of(kind, row, language))
                if said.rule is not None and said.moment != "none":
                    right, weight = said.moment in row.moments, OTHERS if path.parent != HERE else 1
                    found.append(Reading(said.rule, said.confidence, right, weight))
    return found


def shipped() -> dict[str, Shipped]:
    """The shipped rules of moments by name, as the files have them."""
    folder = Path(str(resources.files("streams.core.moments") / "shipped"))
    rules = {}
    for file in sorted(folder.glob("*.toml")):
        text = file.read_text("utf-8")
        for table in TABLE.finditer(text):
            body = text[table.start() : _end(text, table)]
            kind = "last resort" if "otherwise = true" in body else table[1]
            if 'moment = "none"' not in body and "profile = " not in body:
                rules[table[2]] = Shipped(kind, float(table[3]), file, table.span(3))
    return rules


def _end(text: str, table: re.Match[str]) -> int:
    end = text.find("\n[[", table.end())
    return len(text) if end < 0 else end


def fit(rules: Mapping[str, Shipped], found: Iterable[Reading]) -> dict[str, float]:
    """The confidence of each rule that is not unsure by decision."""
    rows, right = Counter[str](), Counter[str]()
    for each in found:
        rows[each.rule] += each.weight
        right[each.rule] += each.weight * each.right
    shares: dict[str, float] = {}
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for name, rule in rules.items():
        if rule.confidence > SURE_ABOVE:
            kinds[rule.kind].append(name)
    for names in kinds.values():
        share = _share(sum(right[name] for name in names), sum(rows[name] for name in names))
        counts = [(rows[name], right[name]) for name in names]
        strength = min(STRENGTHS, key=lambda s: _loss(counts, s, share))
        for name in names:
            shares[name] = (right[name] + strength * share) / (rows[name] + strength)
    return _bucketed(shares, rows, right)


def _share(right: int, rows: int) -> float:
    """The share of right rows, by the rule of succession: never 0 or 1."""
    return (right + 1) / (rows + 2)


def _bucketed(shares: Mapping[str, float], rows: Counter[str], right: Counter[str]) -> dict[str, float]:
    """The confidence of each rule: the share of its bucket."""
    buckets: list[Bucket] = []
    for name in sorted(shares, key=lambda name: (shares[name], name)):
        if buckets and shares[buckets[-1].rules[-1]] == shares[name]:
            added = buckets.pop()
        else:
            added = Bucket((), 0, 0)
        buckets.append(added.joined(Bucket((name,), rows[name], right[name])))
        while len(buckets) > 1 and (buckets[-2].rows < LEAST_ROWS or buckets[-1].share < buckets[-2].share):
            last = buckets.pop()
            buckets.append(buckets.pop().joined(last))
    if len(buckets) > 1 and buckets[-1].rows < LEAST_ROWS:
        last = buckets.pop()
        buckets.append(buckets.pop().joined(last))
    return {name: round(min(bucket.share, HIGHEST), DIGITS) for bucket in buckets for name in bucket.rules}


def _loss(counts: Sequence[tuple[int, int]], strength: int, share: float) -> float:
    """How badly each row is foretold from the other rows of its rule, in nats over all of them."""
    loss = 0.0
    for rows, right in counts:
        if right:
            loss -= right * log((right - 1 + strength * share) / (rows - 1 + strength))
        if wrong := rows - right:
            loss -= wrong * log((wrong - 1 + strength * (1 - share)) / (rows - 1 + strength))
    return loss


def write(rules: Mapping[str, Shipped], fitted: Mapping[str, float]) -> None:
    """Puts the fitted confidences into the files."""
    for file in {rule.file for rule in rules.values()}:
        text = file.read_text("utf-8")
        places = [(rules[name].at, p) for name, p in fitted.items() if rules[name].file == file]
        for (begin, end), p in sorted(places, reverse=True):
            text = f"{text[:begin]}{p:g}{text[end:]}"
        file.write_text(text, "utf-8")


def foretold(rules: Mapping[str, Shipped], found: Sequence[Reading]) -> list[Reading]:
    """The readings with the confidences that the others tell: of five parts, each by the other four."""
    told: list[Reading] = []
    for part in range(PARTS):
        fitted = fit(rules, [each for n, each in enumerate(found) if n % PARTS != part])
        told += [
            each._replace(confidence=fitted.get(each.rule, each.confidence)) for each in found[part::PARTS]
        ]
    return told


def calibration_error(found: Iterable[Reading]) -> float:
    """The expected calibration error over ten levels of sure readings: how far off confidences are."""
    levels: defaultdict[int, list[Reading]] = defaultdict(list)
    for each in found:
        if each.confidence > SURE_ABOVE:
            levels[min(int(each.confidence * 10), 9)].append(each)
    total = sum(map(len, levels.values()))
    return sum(abs(sum(r.right - r.confidence for r in level)) for level in levels.values()) / max(total, 1)


def report(rules: Mapping[str, Shipped], found: Sequence[Reading]) -> Iterable[str]:
    """What a person wants to know of the confidences."""
    told = foretold(rules, found)
    sure = [each for each in told if each.confidence > SURE_ABOVE]
    yield f"{len(found)} held rows that a rule reads, {len(sure)} of them surely"
    yield f"expected calibration error  {calibration_error(told):.3f}"
    yield f"  on rows of others         {calibration_error([r for r in told if r.weight > 1]):.3f}"
    yield f"  as the files have them    {calibration_error(found):.3f}"
    yield "confidence      rows  right"
    for low in range(4, 10):
        level = [each for each in sure if int(each.confidence * 10) == low]
        if level:
            yield f"from {low / 10:.1f}        {len(level):5}  {sum(e.right for e in level) / len(level):.3f}"
    yield "sure above      rows  right  wrong"
    for cut in CUTS:
        kept = [each for each in told if each.confidence > cut]
        right = sum(each.right for each in kept)
        yield f"{cut:.1f}            {len(kept):5}  {right:5}  {len(kept) - right:5}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.moments_data.fit", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are as they should be")
    parser.add_argument("--report", action="store_true", help="only report on the held rows")
    args = parser.parse_args()
    rules, found = shipped(), readings()
    if args.report:
        print("\n".join(report(rules, found)))
        return
    fitted = fit(rules, found)
    other = {name: p for name, p in fitted.items() if p != rules[name].confidence}
    for name, p in other.items():
        print(f"{name}: {rules[name].confidence:g} -> {p:g}")
    if args.check:
        sys.exit(bool(other))
    write(rules, fitted)


if __name__ == "__main__":
    main()
