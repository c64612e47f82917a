"""The AsyncAPI document is one, and says of the records what is so.

That it is what the code makes of it, tests/test_docs.py sees to.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from docs.asyncapi import document
from schemas import generate
from streams.topology import EVENTS, LATE, PUBLISHED, REJECTED, STATE, TRANSITIONS
from tests import golden_topics

Node = dict[str, Any]
DOCUMENT = document()
OFFICIAL: Node = json.loads(
    gzip.decompress((Path(__file__).parent / "asyncapi" / "3.0.0.json.gz").read_bytes())
)


def within(node: Any) -> Iterator[Any]:
    """Every object in it, itself included."""
    if isinstance(node, dict):
        yield node
    for member in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from within(member)


def at(reference: str) -> Any:
    """What a reference within the document leads to."""
    assert reference.startswith("#/"), reference
    node: Any = DOCUMENT
    for step in reference[2:].split("/"):
        node = node[step]
    return at(node["$ref"]) if "$ref" in node else node


def validator(schema: Any) -> Draft7Validator:
    """For a schema of the document, which may refer to others of it."""
    return Draft7Validator({**schema, "components": DOCUMENT["components"]})


def problems(changed: Node) -> list[str]:
    return [
        f"{error.json_path}: {error.message[:100]}"
        for error in Draft7Validator(OFFICIAL).iter_errors(changed)
    ]


def test_it_is_an_asyncapi_document() -> None:
    """It keeps the official JSON Schema of AsyncAPI 3.0.0, and so do the schemas in it their own."""
    assert [] == problems(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


@pytest.mark.parametrize(
    "change",
    [
        {"asyncapi": "2.6.0"},
        {"topics": {}},
        {"operations": {"sendAll": {"action": "publish", "channel": {"$ref": "#/channels/transitions"}}}},
        {"operations": {"sendAll": {"action": "send"}}},
        {"channels": {"transitions": {"address": 1}}},
    ],
)
def test_what_is_none_is_told(change: Node) -> None:
    """The official schema does refuse: the test above can fail."""
    assert problems(DOCUMENT | change)


def test_every_reference_leads_somewhere() -> None:
    """Within the document; and an operation's messages are those of its channel."""
    for node in within(DOCUMENT):
        if "$ref" in node:
            assert at(node["$ref"])
    for operation in DOCUMENT["operations"].values():
        prefix = operation["channel"]["$ref"] + "/messages/"
        assert all(message["$ref"].startswith(prefix) for message in operation["messages"])


def test_it_has_every_topic() -> None:
    """The clickstream is received, every output is sent, and the program's own state is nobody's business."""
    said = {
        name: (channel["address"], set(channel["parameters"]))
        for name, channel in DOCUMENT["channels"].items()
    }
    assert {topic.name: (f"{{app}}.{topic.name}", {"app"}) for topic in (EVENTS, *PUBLISHED)} == said
    actions = {
        (operation["action"], operation["channel"]["$ref"].removeprefix("#/channels/"))
        for operation in DOCUMENT["operations"].values()
    }
    assert {("receive", EVENTS.name), *(("send", topic.name) for topic in PUBLISHED)} == actions
    assert STATE.name not in said


@pytest.mark.parametrize("topic", PUBLISHED, ids=lambda topic: topic.name)
def test_it_describes_what_is_published(topic: Any) -> None:
    """Every record of the golden run has the key, headers and payload
    of exactly one of its topic's messages.
    """
    described = [at(message["$ref"]) for message in DOCUMENT["channels"][topic.name]["messages"].values()]
    seen = set()
    for record in golden_topics.stored(topic.name):
        headers = record.get("headers") or ({} if topic is TRANSITIONS else None)
        if topic in (LATE, REJECTED):
            headers = msgspec.to_builtins(
                msgspec.convert(headers, generate.SCHEMA_TYPES[topic.name], strict=False)
            )
        fits = [
            message["summary"]
            for message in described
            if validator(message["payload"]).is_valid(record["value"])
            and validator(message.get("headers", {})).is_valid(headers)
            and validator(message["bindings"]["kafka"]["key"]).is_valid(record["key"])
        ]
        assert len(fits) == 1, record
        seen.add(fits[0])
    assert {message["summary"] for message in described} == seen


def test_its_examples_are_examples() -> None:
    """Each fits its own message, and all but the tombstones and the clickstream have one."""
    for name, message in DOCUMENT["components"]["messages"].items():
        examples = message.get("examples", [])
        assert bool(examples) != (name == "Event" or name.endswith("Tombstone"))
        for example in examples:
            for part, value in example.items():
                validator(message[part]).validate(value)
