"""A mistake in a rules file is shown with its line."""

from pathlib import Path

import pytest

from streams.core.moments.rules import load_rules
from streams.errors import ConfigError
from streams.runtime.rules_file import read_rules

FILE = """\
# rules of a shop
name = "mine"


[read]
query = ["properties.q"]
page = [
    "name",
    "properties.path",
]

[[event]]
name = "cart"
moment = "buy"
confidence = 0.9
names = ["cart"]

[[event]]
name = "shop"  # the second
moment = "go"
confidence = 0.9
names = [
    "store",
    "shop",
]
where = { path = "properties.a", is = ["x"] }

[[query]]
name = "q"
moment = "buy"
confidence = 0.9
any = [
    "sell",
    "^near !sell",
]

[[page]]
name = "p"
moment = "go"
confidence = 0.7
paths = ["/a", "/b"]

[lexicon.en]
sell = ["buy"]
near = [
    "near me",
    "nearby",
]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('name = "mine"', "name = 5", 2, "name = 5: must be a string"),
        ('name = "mine"', 'nmae = "mine"', 2, "did you mean name?"),
        ('"properties.path"', '"path"', 9, '"path" is no path into an event'),
        ('moment = "go"\nconfidence = 0.9', 'moment = "og"\nconfidence = 0.9', 20, "must be one of know, go"),
        ("0.9\nnames = [\n", "9\nnames = [\n", 21, 'rule "shop": confidence = 9: must be'),
        ('confidence = 0.9\nnames = ["cart"]', 'names = ["cart"]', 12, "confidence = (missing)"),
        ('    "shop",\n]\nwhere', '    "--",\n]\nwhere', 24, '"--" has no letters'),
        ('is = ["x"]', 'is = ["x"], above = 3', 26, "needs exactly one of"),
        ('name = "shop"', 'name = "cart"', 19, "another rule has it"),
        ('name = "p"', 'name = "cart"', 38, "another rule has it"),
        ('name = "q"', 'nme = "q"', 28, "every rule needs a name"),
        ('    "^near !sell"', '    "^near (sell)+"', 34, "is no clause"),
        ('    "^near !sell"', '    "^near !sold"', 34, '"sold" is no lexicon'),
        ('"/b"', '"/b**"', 41, "** stands alone"),
        ('sell = ["buy"]', 'sell = ["* buy"]', 44, "begins with *"),
        ('    "nearby"', '    "(near)+"', 47, "no regular expression"),
        ("near = [", "nearer = [", 34, '"near" is no lexicon'),
        ('sell = ["buy"]', 'sell = ["buy"]\nsold = ["x"]', 45, "no query rule uses it"),
        ("[lexicon.en]", "[lexicon.english]", 43, "must be a language of two or three letters"),
        ("[[page]]", "[[pge]]", 37, "did you mean page?"),
        ('sell = ["buy"]', "sell = [", 45, "not valid TOML"),
    ],
)
def test_lines(old: str, new: str, line: int, says: str, tmp_path: Path) -> None:
    """A rules file is refused with its name, the line of what is wrong, and what would be right."""
    assert 1 == FILE.count(old)
    file = tmp_path / "rules.toml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(ConfigError) as error:
        read_rules(file, ("properties.order_id",))
    message = str(error.value)
    assert message.startswith(f"rules file {file}: ")
    assert f"line {line}" in message
    assert says in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('\nevent = [{name = "a", moment = "by"}]', 2),
        ('\n\nlexicon = {en = {a = ["* b"]}}', 3),
        ('extends = "default"\noff = [\n  "cart",\n  "crat",\n]', 4),
        ('extends = "default"\n\nprofiles = ["none-has-this"]', 3),
        (
            'extends = "default"\n[[event]]\n\n\nname = "cart"\nmoment = "do"\nconfidence = 1\nnames = ["c"]',
            5,
        ),
    ],
)
def test_lines_of_other_forms(text: str, line: int) -> None:
    """Tables that stand in one line, and names that belong to other rules, have their line, too."""
    with pytest.raises(ConfigError, match=f"^line {line}: "):
        load_rules(text)


def test_the_file_is_right() -> None:
    """What the mistakes are made in is a good file."""
    assert 4 == len(load_rules(FILE).rules)
