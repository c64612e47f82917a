"""`python -m tests.moments_data`: scores the shipped rules on the labelled rows, by file.

`--split tune|held|all` (held rows are looked at once, at the end of a change); `--text` reads a query as
text, as `streams explain` does, and not as a search event; `--hint en` reads all queries as from a browser
in that language (`--hint ''`: one that does not say); `--errors` lists what is wrong; `--domains` scores
each domain; `--rules FILE` scores other rules.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from streams.core.moments.classifier import Classifier
from streams.core.moments.rules import default_rules, load_rules
from tests.moments_data import HERE, event_of, read_rows
from tests.moments_data.score import Answer, answer, score


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.moments_data", description=__doc__)
    parser.add_argument("files", nargs="*", help="such as queries_it or names; without any: all")
    parser.add_argument("--split", choices=("tune", "held", "all"), default="tune")
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--hint")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--domains", action="store_true")
    parser.add_argument("--rules", type=Path)
    args = parser.parse_args()
    rules = load_rules(args.rules.read_text("utf-8")) if args.rules else default_rules()
    classifier = Classifier(rules)
    names = args.files or sorted(path.stem for path in HERE.glob("*.tsv"))
    by_kind: defaultdict[str, list[Answer]] = defaultdict(list)
    for name in names:
        answers = answers_to(classifier, name, args.split, args.text, args.hint)
        kind = _kind_of(name)[0]
        by_kind[kind] += answers
        print(f"{name:12}{score(answers).line()}")
        if args.errors:
            for each in answers:
                if not each.right:
                    mark = "SURE" if each.sure else "    "
                    print(f"  {mark} {each.row.moment:15} {each.moment:6} {each.row.text}  [{each.rule}]")
    for kind, answers in by_kind.items():
        if names != [kind]:
            print(f"{kind:12}{score(answers).line()}")
        for domain in sorted({each.row.domain for each in answers}) if args.domains else ():
            print(f"  {domain:14}{score(a for a in answers if a.row.domain == domain).line()}")


def answers_to(
    classifier: Classifier, name: str, split: str, as_text: bool, hint: str | None = None
) -> list[Answer]:
    """What a classifier says of the rows of a file."""
    kind, language = _kind_of(name)
    hinted = language if hint is None else hint
    answers = []
    for row in read_rows(name):
        if split in (row.split, "all"):
            if kind == "queries" and as_text:
                said = classifier.query(row.text, hinted)
            else:
                said = classifier.explain(event_of(kind, row, hinted))
            answers.append(answer(row, said))
    return answers


def _kind_of(name: str) -> tuple[str, str]:
    """Of a file's name (`queries_en`, `others/names`) the kind of its rows, and their language or ""."""
    kind, _, language = Path(name).name.partition("_")
    return kind, language


if __name__ == "__main__":
    main()
