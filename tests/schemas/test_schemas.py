import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

import schemas
from schemas import generate
from schemas.kinds import Kind, Op
from streams.topology import PUBLISHED

HERE = Path(schemas.__file__).parent
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _instant(value: object) -> bool:
    """RFC 3339 in UTC with milliseconds: the contract's own form, narrower than the format asks."""
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value)
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None


def examples(topic: str) -> list[dict[str, Any]]:
    """The hand-written examples of a topic."""
    found: list[dict[str, Any]] = json.loads(
        (HERE / "examples" / f"{topic}.json").read_text(encoding="utf-8")
    )
    return found


def without_flat(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the flat fields, which must repeat its dimensions."""
    flat = {name: value for name, value in record.items() if name.startswith("dim_")}
    if "cell" in record:
        assert flat == {f"dim_{name}": value for name, value in record["dimensions"].items()}
    return {name: value for name, value in record.items() if name not in flat}


def validator(topic: str) -> Draft202012Validator:
    """What checks a record against the topic's schema file."""
    return Draft202012Validator(
        json.loads((HERE / "json" / f"{topic}.schema.json").read_text(encoding="utf-8")),
        format_checker=FORMATS,
    )


@pytest.mark.parametrize(
    ("path", "text"), [pytest.param(path, text, id=path.name) for path, text in generate.files()]
)
def test_files_are_generated(path: Path, text: str) -> None:
    """Each schema file is what its type makes of it: run `make docs` when this fails."""
    assert text == path.read_text(encoding="utf-8")


def test_every_topic_has_its_files_and_no_other_is_there() -> None:
    """A schema and examples for each output topic, of the types that the topology names."""
    topics = {topic.name: set(topic.types) for topic in PUBLISHED}
    assert topics == {name: set(get_args(made)) or {made} for name, made in generate.SCHEMA_TYPES.items()}
    assert {f"{name}.schema.json" for name in topics} == {path.name for path in (HERE / "json").iterdir()}
    assert {f"{name}.json" for name in topics} == {
        path.name for path in (HERE / "examples").iterdir() if path.is_file()
    }


@pytest.mark.parametrize("topic", generate.SCHEMA_TYPES)
def test_schemas_are_valid(topic: str) -> None:
    """Each schema is a JSON Schema of the 2020-12 dialect and says so."""
    schema = validator(topic).schema
    assert isinstance(schema, dict)
    assert generate.DIALECT == schema["$schema"]
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("topic", generate.SCHEMA_TYPES)
def test_examples_are_valid(topic: str) -> None:
    """Each example keeps the schema, and the type makes the very same record of it."""
    for example in examples(topic):
        validator(topic).validate(example)
        assert without_flat(example) == json.loads(
            msgspec.json.encode(msgspec.convert(example, generate.SCHEMA_TYPES[topic]))
        )


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        ("transitions", {"id": "ABC"}),
        ("transitions", {"op": "undo"}),
        ("transitions", {"kind": "jumped"}),
        ("transitions", {"rev": -1}),
        ("transitions", {"at": "2026-03-02T18:20:00Z"}),
        ("transitions", {"at": "2026-03-02T25:20:00.000Z"}),
        ("transitions", {"confidence": 1.5}),
        ("transitions", {"profile": "4711"}),
        ("transitions", {"skipped": ["stay"]}),
        ("transitions", {"furthest": None}),
        ("tallies", {"currency": "euro"}),
        ("tallies", {"dim_device": 1}),
        ("tallies", {"hour": 168}),
        ("tallies", {"bucket_s": [1.0]}),
        ("current", {"needs": None}),
        ("current", {"needs": [{"need": None}]}),
        ("current_devices", {"profile": ""}),
        ("journeys", {"outcome": "lost"}),
        ("journeys", {"record": "other"}),
        ("late", {"late_s": "long"}),
        ("rejected", {"offset": -1}),
    ],
)
def test_schemas_refuse(topic: str, change: dict[str, Any]) -> None:
    """What the contract rules out is invalid."""
    assert validator(topic).is_valid(examples(topic)[0])
    assert not validator(topic).is_valid(examples(topic)[0] | change)


def test_a_total_is_a_tally_without_its_partition() -> None:
    """The funnel topic has every field of the tallies but the partition, in the same order, and no other."""
    fields = [name for name in schemas.Tally.__struct_fields__ if name != "partition"]
    assert fields == [*schemas.FunnelTotal.__struct_fields__]
    tally, total = (generate.schema(topic)["$defs"] for topic in ("tallies", "funnel"))
    assert tally["Tally"]["properties"]["measure"] == total["FunnelTotal"]["properties"]["measure"]


def test_unknown_fields_are_valid() -> None:
    """A minor version may add a field: a consumer's validation must not fail on it."""
    for topic in generate.SCHEMA_TYPES:
        assert validator(topic).is_valid(examples(topic)[0] | {"added_later": 1})


def test_examples_show_every_kind() -> None:
    """The transitions shown have each kind, both operations and one id retracted and asserted anew."""
    shown = examples("transitions")
    assert set(get_args(Kind)) == {example["kind"] for example in shown}
    assert set(get_args(Op)) == {example["op"] for example in shown}
    again = [
        example["op"]
        for example in shown
        if example["id"] == next(e["id"] for e in shown if e["op"] == "retract")
    ]
    assert again == ["assert", "retract", "assert"]
    assert [example["rev"] for example in shown] == list(range(1, len(shown) + 1))
