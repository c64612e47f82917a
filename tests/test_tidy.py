"""The source is tidy, and each rule that says so can fail."""

import re
import tomllib
from typing import Any

import pytest

from tests.planted import BUGS
from tests.planted.edges import EDGE_BUGS
from tests.planted.planting import planted_in
from tests.tidy import words
from tests.tidy.rules import FAMILIES, RULES, unplaced
from tests.tidy.source import ROOT, Source, product

CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "tool"
]["importlinter"]["contracts"]
LAYERS: dict[str, list[str]] = {
    contract["containers"][0]: contract["layers"] for contract in CONTRACTS if contract["type"] == "layers"
}
PRODUCT = product()
UNTESTED = {"cli/render"}  # its pictures are what the commands print: tests/cli has them
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PAGES.remove(ROOT / "CHANGELOG.md")  # it also has the names that things had before
GLOSSARY = re.findall(
    r"^\| (.+?) \| (.+?) \|$",
    (ROOT / "docs" / "design.md").read_text("utf-8").split("## Words\n")[1].split("\n## ")[0],
    re.MULTILINE,
)[1:]

GOOD: dict[str, list[str]] = {
    "defined_twice": [
        "def a(): ...\nclass B: ...\nC = 1",
        "@overload\ndef a(x: int): ...\n@overload\ndef a(x: str): ...",  # in one file
        "from b import a",
        "def f():\n    a = 1",
        "_a = 1",
    ],
    "many_positional": [
        "f(1, 2, 3, 4, 5, 6)",
        "f(1, 2, 3, 4, 5, 6, g=7, h=8)",
        "f(*many)",
        "def f(a, b, c, d, e, f, *, g, h): ...",
        "class A:\n    def f(self, a, b, c, d, e, f): ...",
    ],
    "awkward_opening": [
        '"""Offsets of a partition."""',
        'def f():\n    """Return the same."""',
        'x = "Of"',
        "# Of",
    ],
    "old_word": [
        "mask = 1",
        "watermark_ms = 1",
        "homepage = 1",
        "Path.home()",
        "pytest.mark.slow",
        "x = 'what the file says'",
        "# The home page marks a question; it was dealt with, and hands are over there.",
        "total_sales = aggregate",  # tale, mesh, deal in the middle of words
    ],
    "wide_line": ["x" * 110, "è" * 110],
    "long_file": ["x\n" * 350],
    "bare_ignore": [
        "import a  # noqa: F401  # the name is part of the interface",
        "# the stub has no such argument\nf(1)  # type: ignore[call-arg]",
        "f(1)  # type: ignore[call-arg]  # the stub has no such argument",
    ],
}
BAD: dict[str, list[str]] = {
    "defined_twice": [
        "def b(): ...",
        "async def b(): ...",
        "class b: ...",
        "b = 1",
        "b: int = 1",
        "a, b = 1, 2",
        "if TYPE_CHECKING:\n    b = int",
        "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    b = 1",
    ],
    "many_positional": [
        "f(1, 2, 3, 4, 5, 6, 7)",
        "a.f(1, 2, 3, 4, 5, 6, *more)",
        "def f(a, b, c, d, e, f, g): ...",
        "def f(a, b, /, c, d, e, f, g=1): ...",
        "lambda a, b, c, d, e, f, g: 1",
        "class A:\n    def f(self, a, b, c, d, e, f, g): ...",
        "class A:\n    @staticmethod\n    def f(a, b, c, d, e, f, g): ...",
    ],
    "awkward_opening": [
        '"""Of a partition."""',
        'class A:\n    """The same for machines."""',
        'async def f():\n    """\n    Likewise, but slower.\n    """',
        'x = 1\n"""The same, later."""',
    ],
    "old_word": [
        "horizon_ms = 1",
        "def handover(): ...",
        "def f(home): ...",
        "class Keeper: ...",
        "self.heardFrom = 1",
        "import ledger as ledgers",
        "for said in x: ...",
        "class Agent: ...",
        "def let_go(): ...",
        "match x:\n    case ghost: ...",
        "try: ...\nexcept E as cause: ...",
        "# Events are handed over.",
        "# Events are handed\n# over.",
        '"""The ledgers."""',
        'x = f"the horizon of {n}"',
        "x = 'hands it ' 'over'",
    ],
    "wide_line": ["x" * 111, f"\n\n{'x' * 50}  # {'y' * 60}"],
    "long_file": ["x\n" * 351],
    "bare_ignore": ["import a  # noqa: F401", "import a  # noqa", "x\nf(1)  # type: ignore[call-arg]"],
}
BESIDE = Source("streams/beside.py", "b = 1\n")  # what the snippets of defined_twice are held against


def findings(rule: str, text: str, path: str = "streams/a.py") -> list[str]:
    """What a rule finds in a snippet."""
    sources = [Source(path, text), *([BESIDE] if "b" in text and rule == "defined_twice" else [])]
    return [finding.detail for finding in RULES[rule](sources) if finding.path == path]


@pytest.mark.parametrize("rule", RULES)
def test_the_product_is_tidy(rule: str) -> None:
    """No file breaks the rule."""
    assert [] == [str(finding) for finding in RULES[rule](PRODUCT)]


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in BAD.items() for text in texts])
def test_a_bad_snippet_is_found(rule: str, text: str) -> None:
    """Each way to break a rule is found, once."""
    assert len(findings(rule, text)) == 1


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in GOOD.items() for text in texts])
def test_a_good_snippet_is_not_found(rule: str, text: str) -> None:
    """A rule leaves alone what only looks like a breach."""
    assert [] == findings(rule, text)


def test_each_rule_has_snippets() -> None:
    """A rule without a snippet could be one that never fails."""
    assert list(RULES) == list(GOOD) == list(BAD)


def test_no_page_has_both_sides_of_a_merge() -> None:
    """Source with a conflict left in it does not run; a page would be read as it is."""
    sides = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
    assert [] == [page.name for page in PAGES if sides.search(page.read_text(encoding="utf-8"))]


def test_pages_use_the_fields_terms() -> None:
    """No page says an old word."""
    assert [] == [
        f"{page.relative_to(ROOT)}: {match[0]!r}: write {words.instead(match)}"
        for page in PAGES
        for match in words.banned(page.read_text(encoding="utf-8"))
    ]


def test_the_glossary_has_each_word_once() -> None:
    """One word, one thing: a word of the glossary has one row."""
    defined = [word for word, _ in GLOSSARY]
    assert len(defined) > 20
    assert sorted(set(defined)) == sorted(defined)


def test_the_glossary_names_what_is_there() -> None:
    """A name in the glossary is a name, or a text such as a topic's, in the source."""
    shown = {name for _, meaning in GLOSSARY for name in re.findall(r"`(\w+)`", meaning)}
    names = {name for source in PRODUCT for _, name in source.names()}
    texts = {prose.text for source in PRODUCT for prose in source.strings()}
    assert sorted(shown - names - texts) == []


def test_a_family_repeats_its_entry_point_in_its_folder_alone() -> None:
    """`read` may be defined once per format; a `read` anywhere else makes it two words."""
    (name, folder), *_ = FAMILIES
    text = f"def {name}(): ..."
    family = [Source(folder.replace("*", letter), text) for letter in "ab"]
    assert [] == [*RULES["defined_twice"](family)]
    assert 3 == len([*RULES["defined_twice"]([*family, Source("streams/elsewhere.py", text)])])


def test_exceptions_exist() -> None:
    """Each folder of a family is there."""
    assert [] == [folder for _, folder in FAMILIES if not list(ROOT.glob(folder))]


def test_each_module_stands_in_a_layer() -> None:
    """The import contract knows each module, and names none that is gone."""
    assert {"streams", "streams.core"} == set(LAYERS)
    assert [] == [str(finding) for finding in unplaced(PRODUCT, LAYERS)]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["b", "a"], []),
        (["b : a"], []),
        (["a"], ["p.b stands in 0 layers of p"]),
        (["a", "b", "a"], ["p.a stands in 2 layers of p"]),
        (["a", "b", "c"], ["the layer c of p is no module"]),
    ],
)
def test_a_module_without_a_layer_is_found(rows: list[str], found: list[str]) -> None:
    """A module in no layer or in two, and a layer without a module, are found."""
    sources = [Source(path, "") for path in ("p/__init__.py", "p/a/__init__.py", "p/a/x.py", "p/b.py")]
    assert found == [finding.detail for finding in unplaced(sources, {"p": rows})]


def test_the_core_may_import_the_ground_alone() -> None:
    """The contract of purity forbids the core each layer that stands above it."""
    (pure,) = [contract for contract in CONTRACTS if contract["id"] == "pure"]
    above = LAYERS["streams"][: LAYERS["streams"].index("core")]
    assert {f"streams.{name}" for name in above} == {
        name for name in pure["forbidden_modules"] if name.startswith("streams.")
    }


def test_tests_mirror_the_rooms() -> None:
    """Each room of the product has a folder of tests under the same name."""
    rooms = {
        file.parent.relative_to(ROOT / "streams").as_posix()
        for file in (ROOT / "streams").rglob("*.py")
        if file.name != "__init__.py"
    }
    tested = {
        file.parent.relative_to(ROOT / "tests").as_posix() for file in (ROOT / "tests").rglob("test_*.py")
    }
    assert [] == sorted(rooms - tested - {"."} - UNTESTED)


def test_planted_bugs_fit_the_code() -> None:
    """The places that they change are there: a bug whose place has moved would be found by nobody."""
    for bug in (*BUGS, *(edge.bug for edge in EDGE_BUGS)):
        source = (ROOT / f"{bug.module.replace('.', '/')}.py").read_text("utf-8")
        assert planted_in(source, bug) != source, bug.name
