"""Consumers that were written for an older version of the contract can read what this one publishes, and
this one's types read what it published.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

import schemas
from schemas import generate
from streams.topology import LATE, REJECTED
from tests import golden_topics
from tests.schemas.breaking import Schema, breaking
from tests.schemas.test_schemas import without_flat

HERE = Path(schemas.__file__).parent
MAJOR = schemas.VERSION.partition(".")[0]
NEWEST = HERE / "history" / f"v{schemas.VERSION}"
# Of this major version, this one included.
OLDER = sorted(path.name for path in (HERE / "history").glob(f"v{MAJOR}.*"))
EVERY = [
    pytest.param(version, topic, id=f"{version}-{topic}")
    for version in OLDER
    for topic in generate.SCHEMA_TYPES
]

SAY_MINOR = (
    "the schemas are no longer those of version {version}. If nothing breaks (fields were added), raise "
    "the second number of schemas.VERSION; then"
    " keep the new version with `python -m tests.schemas.freeze`. Until {version} is released you may "
    "delete its folders and keep it anew"
)
SAY_MAJOR = (
    "this breaks consumers of {version}: {problems}. Either leave what they rely on as it is and add a "
    "field beside it, or raise the first number of"
    " schemas.VERSION, keep that version with `python -m tests.schemas.freeze`, and say in "
    "docs/contract.md and the changelog how to move on"
)


def stored(version: str, topic: str) -> Schema:
    found: Schema = json.loads(
        (HERE / "history" / version / f"{topic}.schema.json").read_text(encoding="utf-8")
    )
    return found


def examples(version: str, topic: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (HERE / "examples" / version / f"{topic}.json").read_text(encoding="utf-8")
    )
    return found


def published(topic: str) -> list[dict[str, Any]]:
    """What the golden run publishes, as the topic's schema describes it."""
    records = golden_topics.stored(topic)
    if topic in (LATE.name, REJECTED.name):
        return [
            msgspec.to_builtins(
                msgspec.convert(record["headers"], generate.SCHEMA_TYPES[topic], strict=False)
            )
            for record in records
        ]
    return [record["value"] for record in records if record["value"] is not None]


def without_words(node: Any) -> Any:
    """A schema without its descriptions: they may be put better at any time."""
    if isinstance(node, dict):
        return {
            key: without_words(value)
            for key, value in node.items()
            if key not in ("title", "description") or isinstance(value, dict)
        }
    return [without_words(member) for member in node] if isinstance(node, list) else node


@pytest.mark.parametrize("topic", generate.SCHEMA_TYPES)
def test_a_version_names_one_contract(topic: str) -> None:
    """The current schemas are those that are kept under the current version."""
    assert (NEWEST / f"{topic}.schema.json").exists(), (
        f"version {schemas.VERSION} is not kept: `python -m tests.schemas.freeze`"
    )
    same = without_words(stored(NEWEST.name, topic)) == without_words(generate.schema(topic))
    assert same, SAY_MINOR.format(version=schemas.VERSION)


def test_the_page_is_about_this_version() -> None:
    """docs/contract.md says which version it describes."""
    assert f": version {schemas.VERSION}." in (HERE.parent / "docs" / "contract.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(("version", "topic"), EVERY)
def test_nothing_breaks_consumers(version: str, topic: str) -> None:
    """Whatever the current schema allows, every version since the last major one allowed."""
    problems = breaking(stored(version, topic), generate.schema(topic))
    assert not problems, SAY_MAJOR.format(version=version, problems="; ".join(problems))


@pytest.mark.parametrize(("version", "topic"), EVERY)
def test_what_is_published_is_what_was_promised(version: str, topic: str) -> None:
    """Real records keep the schema of every version since the last major one:
    what a schema says is also what happens.
    """
    validator = Draft202012Validator(stored(version, topic))
    problems = [
        f"{error.json_path}: {error.message}"
        for record in published(topic)
        for error in validator.iter_errors(record)
    ]
    assert not problems, SAY_MAJOR.format(version=version, problems="; ".join(problems[:3]))


@pytest.mark.parametrize(("version", "topic"), EVERY)
def test_old_records_are_read(version: str, topic: str) -> None:
    """The current types read what was published under every version since
    the last major one, and lose nothing of it.

    So a field that is added needs a default which says what was so before.
    """
    for example in examples(version, topic):
        again = json.loads(msgspec.json.encode(msgspec.convert(example, generate.SCHEMA_TYPES[topic])))
        assert without_flat(example) == {name: value for name, value in again.items() if name in example}
        Draft202012Validator(stored(version, topic)).validate(example)


def test_the_examples_show_everything() -> None:
    """The records kept of this version have every word of its closed vocabularies,
    nothing where nothing can be, and tenants.
    """
    for topic in generate.SCHEMA_TYPES:
        shown = json.dumps(examples(NEWEST.name, topic))
        assert [word for word in _enums(stored(NEWEST.name, topic)) if json.dumps(word) not in shown] == []
    assert {None} < {example["tenant"] for example in examples(NEWEST.name, "transitions")}
    assert {"lateness", "over_cap"} == {example["reason"] for example in examples(NEWEST.name, "late")}


def _enums(node: Any) -> set[Any]:
    if isinstance(node, dict):
        return set(node.get("enum", ())).union(*(_enums(member) for member in node.values()))
    return set().union(*(_enums(member) for member in node)) if isinstance(node, list) else set()


OLD: Schema = {
    "anyOf": [{"$ref": "#/$defs/Seen"}, {"$ref": "#/$defs/Gone"}],
    "$defs": {
        "Seen": {
            "type": "object",
            "properties": {
                "record": {"enum": ["seen"]},
                "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "at": {"type": "string", "format": "date-time"},
                "moment": {"anyOf": [{"enum": ["know", "go"]}, {"type": "null"}]},
                "count": {"type": "integer", "minimum": 0},
                "share": {"type": "number", "minimum": 0, "maximum": 1},
                "cut": {"type": "boolean", "default": False},
                "names": {"type": "array", "items": {"type": "string"}},
                "bucket": {
                    "type": "array",
                    "prefixItems": [{"type": "number"}, {"type": "number"}],
                    "items": False,
                    "minItems": 2,
                    "maxItems": 2,
                },
                "seconds": {"type": "object", "additionalProperties": {"type": "number"}},
            },
            "required": ["record", "id", "at", "moment", "count", "share", "names", "bucket", "seconds"],
        },
        "Gone": {
            "type": "object",
            "properties": {"record": {"enum": ["gone"]}, "why": {"type": "string"}},
            "required": ["record", "why"],
        },
    },
}


def doctored(change: Callable[[dict[str, Any], Schema], object]) -> Schema:
    """The small schema with its main record's fields, or itself, changed."""
    new = copy.deepcopy(OLD)
    change(new["$defs"]["Seen"]["properties"], new)
    return new


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda f, s: f.pop("count"), "`count` is gone", id="a field removed"),
        pytest.param(lambda f, s: f.pop("cut"), "`cut` is gone", id="a field removed that could be missing"),
        pytest.param(lambda f, s: f.update(counted=f.pop("count")), "`count` is gone", id="a field renamed"),
        pytest.param(
            lambda f, s: s["$defs"]["Seen"]["required"].remove("id"),
            "`id` may now be missing",
            id="no longer always there",
        ),
        pytest.param(
            lambda f, s: f["cut"].update(default=True),
            "`cut`: missing now means True, meant False",
            id="another default",
        ),
        pytest.param(
            lambda f, s: f["count"].update(type="number"),
            "`count` may now be of type number",
            id="a wider type",
        ),
        pytest.param(
            lambda f, s: f["count"].update(type="string"),
            "`count` may now be of type string",
            id="another type",
        ),
        pytest.param(
            lambda f, s: f.update(id={"anyOf": [f["id"], {"type": "null"}]}),
            "`id` may now be of type null",
            id="may now be nothing",
        ),
        pytest.param(lambda f, s: f.update(id={}), "`id` may now be of type any", id="anything"),
        pytest.param(
            lambda f, s: f["moment"]["anyOf"][0]["enum"].append("do"),
            "`moment` may now be 'do'",
            id="a word more in a closed list",
        ),
        pytest.param(
            lambda f, s: f["moment"]["anyOf"].append({"type": "string"}),
            "`moment` may now be any string",
            id="a list opened",
        ),
        pytest.param(
            lambda f, s: f["count"].pop("minimum"), "`count`: minimum is now None, was 0", id="no lower bound"
        ),
        pytest.param(
            lambda f, s: f["share"].update(maximum=100),
            "`share`: maximum is now 100, was 1",
            id="a higher bound",
        ),
        pytest.param(
            lambda f, s: f["id"].update(pattern="^.{32}$"),
            "`id`: pattern is now ^.{32}$",
            id="another pattern",
        ),
        pytest.param(
            lambda f, s: f["at"].pop("format"), "`at`: format is now None, was date-time", id="another format"
        ),
        pytest.param(
            lambda f, s: f["names"]["items"].update(type="integer"),
            "an item of `names` may now be of type integer",
            id="other items",
        ),
        pytest.param(
            lambda f, s: f["bucket"]["prefixItems"][1].update(type="null"),
            "item 1 of `bucket` may now be of type null",
            id="other place",
        ),
        pytest.param(
            lambda f, s: f["bucket"].update(maxItems=3),
            "`bucket`: maxItems is now 3, was 2",
            id="more places",
        ),
        pytest.param(
            lambda f, s: f["seconds"].update(additionalProperties={"type": "string"}),
            "a value in `seconds` may now be of type string",
            id="other values",
        ),
        pytest.param(
            lambda f, s: s["$defs"]["Gone"]["properties"].pop("why"),
            "`why` is gone",
            id="in the other record",
        ),
        pytest.param(
            lambda f, s: s["anyOf"].append(
                s["$defs"]["Gone"] | {"properties": {"record": {"enum": ["new"]}, "why": {"type": "string"}}}
            ),
            "`record` may now be 'new'",
            id="a record of a new sort",
        ),
    ],
)
def test_what_breaks_is_caught(change: Callable[[dict[str, Any], Schema], object], said: str) -> None:
    """Each kind of breaking change is found and named."""
    problems = breaking(OLD, doctored(change))
    assert any(line.startswith(said) for line in problems), problems


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f, s: None, id="none"),
        pytest.param(lambda f, s: f.update(added={"type": "string", "default": ""}), id="a field added"),
        pytest.param(
            lambda f, s: (
                f.update(added={"enum": ["a", "b"]}),
                s["$defs"]["Seen"]["required"].append("added"),
            ),
            id="a field added that is always there",
        ),
        pytest.param(lambda f, s: s["$defs"]["Seen"]["required"].append("cut"), id="now always there"),
        pytest.param(lambda f, s: f["share"].update(type="integer"), id="a narrower type"),
        pytest.param(lambda f, s: f.update(moment={"enum": ["know"]}), id="fewer words"),
        pytest.param(lambda f, s: f["count"].update(minimum=1, maximum=9), id="narrower bounds"),
        pytest.param(lambda f, s: f["names"].update(description="put better", maxItems=3), id="other words"),
        pytest.param(lambda f, s: s["anyOf"].pop(), id="one sort of record less"),
    ],
)
def test_what_does_not_break_is_let_through(change: Callable[[dict[str, Any], Schema], object]) -> None:
    """A field more, and less of what was allowed, breaks nobody."""
    assert [] == breaking(OLD, doctored(change))


def test_an_unknown_word_is_not_passed_over() -> None:
    """A keyword of JSON Schema that the rules say nothing of stops the test."""
    with pytest.raises(AssertionError, match="dependentRequired"):
        breaking(OLD, OLD | {"dependentRequired": {}})
