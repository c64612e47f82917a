import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from typer.testing import CliRunner

import schemas
import streams
from docs.generate import HERE, PAGES, between
from schemas.kinds import Kind
from streams.cli.app import command_line
from streams.core.ingest.event import Event, Reason
from streams.core.journeys import diagram
from streams.core.journeys.machine import TABLE
from streams.core.moments.classifier import classifier_for
from streams.core.moments.rules import default_rules
from streams.core.moments.verdict import INTENTS
from streams.settings.loading import load_settings
from streams.topology import PUBLISHED

EXAMPLES = Path(schemas.__file__).parent / "examples"
CONSUME = (HERE / "consume.md").read_text(encoding="utf-8")
ROOT = HERE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DESIGN = (HERE / "design.md").read_text(encoding="utf-8")


def block(page: str, heading: str, language: str) -> str:
    """The first code block under a heading."""
    found = re.search(
        rf"^#+ {re.escape(heading)}\n.*?^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no {language} under {heading!r}"
    return found[1]


def run(heading: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """What the example's names stand for once it has read the records as JSON lines."""
    names: dict[str, Any] = {"lines": [json.dumps(record) + "\n" for record in records]}
    exec(compile(block(CONSUME, heading, "python"), heading, "exec"), names)
    return names


def examples(topic: str) -> list[dict[str, Any]]:
    """The hand-written records of a topic."""
    found: list[dict[str, Any]] = json.loads((EXAMPLES / f"{topic}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("path", "page"), [pytest.param(path, page, id=path.name) for path, page in PAGES.items()]
)
def test_pages_are_generated(path: Path, page: Callable[[], str]) -> None:
    """Each generated page is what the code makes of it: run `make docs` when this fails."""
    assert page() == path.read_text(encoding="utf-8")


def test_the_settings_file_shown_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings file on the page loads and says what it seems to say."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shown.toml"
    file.write_text(
        block((HERE / "settings.md").read_text(encoding="utf-8"), "Settings", "toml"), encoding="utf-8"
    )
    settings = load_settings(file)
    assert (settings.need, settings.patience.buy, settings.dimensions["country"].values) == (
        ("properties.category",),
        7_200_000,
        ("it", "es", "de"),
    )


@pytest.mark.parametrize(
    "disturb",
    [lambda r: r, lambda r: r + r, lambda r: r[::-1], lambda r: r[:5] + r],
    ids=["as is", "twice", "backwards", "restarted"],
)
def test_following_the_corrections(disturb: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """The example holds exactly what is true, however often and in whatever order it reads the records."""
    moves = run("Follow the corrections", disturb(examples("transitions")))["moves"]
    assert {("know", "go"): 1, ("go", "buy"): 1, ("buy", "truth"): 1, ("do", "know"): 1} == moves


def test_ignoring_the_corrections() -> None:
    """The example acts once on a stalled buyer, and not on a correction of it, a
    retraction, or silence in another moment.
    """
    stalled = next(step for step in examples("transitions") if step["kind"] == "stalled")
    corrected = [stalled | {"rev": 20, "op": "retract"}, stalled | {"rev": 21}]
    assert run("Ignore the corrections", examples("transitions") + corrected)["to_remind"] == ["u:4711"]


def test_what_happened_inside_a_moment() -> None:
    """The example counts the cues that hold, each once, in the moment that they are in now."""
    found = run("What happened inside a moment", [*examples("cues"), *examples("cues")[::-1]])["in_buy"]
    assert {("2026-03-02T18", "coupon_denied"): 1} == found


def test_reading_only_finished_journeys() -> None:
    """The example tells a purchase that was refunded from one that was kept, and stands reading twice."""
    kept = examples("journeys")[0] | {"journey": "ev-900"}
    names = run("Read only finished journeys", [*examples("journeys"), kept] * 2)
    assert (3, 1) == (len(names["journeys"]), len(names["refunds"]))
    assert names["kept"] == [(None, "u:4711", "cars", "ev-900")]


def test_the_upsert_keeps_the_newest_count_of_a_cell() -> None:
    """The recipe for a table has a column for each field, and an older value never replaces a newer one.

    SQLite reads the same statements as PostgreSQL here.
    """
    create, upsert = (
        part for part in block(CONSUME, "Counters in a table", "sql").split(";\n") if part.strip()
    )
    older = upsert.replace("12, 31)", "99, 30)")
    newer = upsert.replace("12, 31)", "0, 32)")
    assert len({upsert, older, newer}) == 3
    with closing(sqlite3.connect(":memory:")) as table:
        for statement in (create, upsert, older):
            table.execute(statement)
        columns = {name for _, name, *_ in table.execute("PRAGMA table_info(funnel)")}
        assert [(12, 31)] == table.execute("SELECT count, rev FROM funnel").fetchall()
        table.execute(newer)
        assert [(0, 32)] == table.execute("SELECT count, rev FROM funnel").fetchall()
    fields = {field.encode_name for field in msgspec.structs.fields(schemas.FunnelTotal)}
    assert fields - {"dimensions"} | {"dim_device", "dim_channel"} == columns


def test_examples_are_short() -> None:
    """Each way of reading takes about ten lines."""
    for code in re.findall(r"^```python\n(.*?)^```$", CONSUME, re.MULTILINE | re.DOTALL):
        assert len(code.splitlines()) <= 14


def column(page: str, heading: str) -> list[str]:
    """The first column of the table under a heading."""
    under = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", under, re.MULTILINE)


def test_the_page_knows_every_reason_and_topic() -> None:
    """The tables list each reason of a rejection and each output topic, in the code's order, and no other."""
    assert column(CONSUME, "Why a record is a dead letter") == [reason.value for reason in Reason]
    assert column(CONSUME, "From Kafka") == [topic.name for topic in PUBLISHED]


def test_kinds_named_are_kinds() -> None:
    """The kinds that the examples look for exist."""
    named = set(re.findall(r'"(\w+ed)"', block(CONSUME, "Follow the corrections", "python")))
    assert named
    assert named <= set(get_args(Kind))


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(HERE.glob("*.md")), ids=lambda path: path.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link in a page names a file or folder that is there."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_part_of_a_page_is_made_anew() -> None:
    """What stands between the marks is replaced, the rest stays, and
    a page without the marks is a mistake.
    """
    page = "by hand\n<!-- a -->\nold\n<!-- /a -->\nby hand\n"
    assert "by hand\n<!-- a -->\nnew\n<!-- /a -->\nby hand\n" == between(page, a="new\n")
    for broken in ("", "<!-- a -->\n"):
        with pytest.raises(AssertionError, match="place for a"):
            between(broken, a="new\n")


def test_the_diagram_has_every_move_of_the_table() -> None:
    """An arrow for each change of moment that the table knows, and a cell for each of its entries."""
    drawn = diagram.mermaid()
    for row, moment in enumerate(INTENTS[:4]):
        for mark in range(4):
            assert (f"{moment} --> {INTENTS[mark]}: " in drawn) == (row != mark)
    assert drawn.count(": returned") == drawn.count(": advanced") == 6
    assert all(f": {kind}" in drawn for kind in ("opened", "converted", "resumed", "refunded"))
    assert len(TABLE) + 2 == len(diagram.table().splitlines())


def test_the_transition_shown_first_is_an_example_of_the_contract() -> None:
    """The README's record is one of the hand-written examples, which are held to the schema."""
    assert json.loads(block(README, "What you get", "json")) in examples("transitions")


def test_searches_are_read_as_the_table_says() -> None:
    """Each search in the README is read by the shipped rules as it says there."""
    rows = re.findall(
        r"^\| `(.+)` \| (\w+) \|$",
        README.split("## What a moment is read from")[1].split("\n## ")[0],
        re.MULTILINE,
    )
    classify = classifier_for(default_rules()).classify
    read = [
        classify(Event("e", 0, 0, None, "1", "track", "Products Searched", {"query": search}, {}))
        for search, _ in rows
    ]
    assert [moment for _, moment in rows] == [verdict and INTENTS[verdict.intent] for verdict in read]
    assert len(rows) >= 8


def test_the_demo_says_what_is_shown_of_it(tmp_path: Path) -> None:
    """Every line of the README's excerpts is a line of what `streams demo` prints."""
    result = CliRunner().invoke(command_line, ["demo", "--data-dir", str(tmp_path / "demo")])
    assert 0 == result.exit_code
    printed = {line.rstrip() for line in result.stdout.splitlines()}
    shop, generated = README.split("```\n")[3], README.split("```\n")[5]
    assert "journeys: 509 converted" in shop
    assert "on device-34-b" in generated
    assert [line for line in (shop + generated).splitlines() if line not in printed] == []


def test_commands_shown_exist() -> None:
    """Each `streams` command in the README and on the design page is one."""
    commands = {
        command.name or command.callback.__name__
        for command in command_line.registered_commands
        if command.callback
    }
    commands |= {group.name for group in command_line.registered_groups if group.name}
    named = set(re.findall(r"(?:`|bin/)streams ([a-z-]+)", README + DESIGN))
    assert named <= commands
    assert {"replay", "run", "funnel", "journey", "verify", "explain"} <= named


def test_every_place_is_on_the_design_page() -> None:
    """Each folder and file right under streams/ has a line in its table of places."""
    under = Path(streams.__file__).parent
    places = {f"`streams/{path.name}/`" for path in under.iterdir() if (path / "__init__.py").exists()}
    places |= {
        f"`streams/core/{path.name}/`"
        for path in (under / "core").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    places |= {f"`streams/{path.name}`" for path in under.glob("*.py") if path.name != "__init__.py"}
    assert [place for place in sorted(places) if place not in DESIGN.split("## Places")[1]] == []


def test_files_named_in_the_places_are_there() -> None:
    """Each file or folder that a row of the table of places names is somewhere below that row's folder."""
    rows = re.findall(r"^\| `(streams/[\w/]+/)` \| (.+) \|$", DESIGN.split("## Places")[1], re.MULTILINE)
    missing = [
        f"{folder}: {name}"
        for folder, row in rows
        for name in re.findall(r"`([\w.]+/?)`", row)
        if not any((ROOT / folder).rglob(name if name.endswith(("/", ".toml")) else f"{name}.py"))
    ]
    assert len(rows) > 10
    assert [] == missing
