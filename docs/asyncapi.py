"""Makes schemas/asyncapi.json: all topics, their keys, records and headers as one AsyncAPI 3.0 document.

Code generators and catalogues read it. It is made from `streams.topology` and the types of `schemas`, so it
agrees with them. On a broker a topic is called `<app>.<name>`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

import schemas
from schemas.generate import tidy
from streams.topology import (
    CURRENT_DEVICES,
    EVENTS,
    IDENTITIES,
    LATE,
    PERSON,
    PROGRESS,
    PUBLISHED,
    REDRIVEN,
    REJECTED,
    Cleanup,
    Topic,
)

Node = dict[str, Any]

EXAMPLES = Path(schemas.__file__).parent / "examples"
BINDING = "0.5.0"  # of AsyncAPI's Kafka bindings
DEAD_LETTERS = (LATE, REJECTED)
AS_IT_CAME = {"description": "The record as it came, any bytes; at most its first 64 KiB."}
KEYS: dict[str, Node] = {  # by the words of `Topic.key`
    EVENTS.key: {
        "type": "string",
        "description": "Anything. If it is the key of the outputs, the person's id, no event is forwarded.",
    },
    PERSON: {
        "type": "string",
        "pattern": r"^([^\x1f]+\x1f)?[^\x1f]+$",
        "description": "The bare id: the user's, or the device's where nobody is signed in. With tenants, the"
        " tenant and U+001F come before it. Java clients' murmur2 of this key chooses the partition.",
    },
    "partition, cell": {
        "type": "string",
        "pattern": "^[0-9]+/",
        "description": "Names one counter: the partition, `/`, and its cell.",
    },
    "cell": {"type": "string", "description": "The cell of the counter."},
    REDRIVEN.key: {
        "type": "string",
        "description": "Names a redriven item and the command: `topic:partition:offset:index:part command`.",
    },
    IDENTITIES.key: {
        "type": "string",
        "pattern": r"^([^\x1f]+\x1f)?[^\x1f]+$",
        "description": "The bare id of the device. With tenants, the tenant and U+001F come before it.",
    },
    PROGRESS.key: {"type": "string", "pattern": "^[0-9]+$", "description": "The partition."},
    "none": {"type": "null"},
}
CORRELATION: dict[type, Node] = {  # which records are about the same thing
    schemas.Transition: {
        "location": "$message.payload#/id",
        "description": "A step: the record with the greatest rev holds.",
    },
    schemas.Cue: {
        "location": "$message.payload#/id",
        "description": "A cue: the record with the greatest rev holds.",
    },
    schemas.JourneyRecord: {
        "location": "$message.payload#/journey",
        "description": "A journey and its refunds, within (tenant, profile, need).",
    },
    schemas.RefundRecord: {
        "location": "$message.payload#/journey",
        "description": "A journey and its refunds, within (tenant, profile, need).",
    },
    schemas.Identity: {
        "location": "$message.payload#/device",
        "description": "A device, within its tenant: the last record holds.",
    },
    schemas.LateHeaders: {
        "location": "$message.header#/event",
        "description": "The event, within its profile.",
    },
}


def asyncapi_text() -> str:
    """The document as it is stored."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> Node:
    """The document: what a worker receives and sends, which is every topic but its inbox and its state."""
    topics = (EVENTS, *PUBLISHED)
    _, made = msgspec.json.schema_components(
        [*(kind for topic in PUBLISHED for kind in topic.types), schemas.TransitionHeaders],
        ref_template="#/components/schemas/{name}",
    )
    return {
        "asyncapi": "3.0.0",
        "id": "urn:customer-journey-streams",
        "info": {
            "title": "Customer journey streams",
            "version": schemas.VERSION,
            "description": "Knows for every person, at every instant, which micro-moment they are in."
            " Operations are seen from the program: it receives the clickstream and sends the rest."
            " docs/contract.md says what is promised and what a version is.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: channel(topic) for topic in topics},
        "operations": {operation_name(topic): operation(topic) for topic in topics},
        "components": {
            "messages": {name: message for topic in topics for name, message in messages(topic).items()},
            "parameters": {"app": {"description": "Which instance of the program.", "default": "streams"}},
            "schemas": draft_07(tidy(made)),
        },
    }


def channel(topic: Topic) -> Node:
    return {
        "address": f"{{app}}.{topic.name}",
        "description": f"{topic.about}. Key: {topic.key}.",
        "parameters": {"app": {"$ref": "#/components/parameters/app"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages(topic)},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": [topic.cleanup.value]},
                "bindingVersion": BINDING,
            }
        },
    }


def operation_name(topic: Topic) -> str:
    return ("receive" if topic is EVENTS else "send") + topic.name.title().replace("_", "")


def operation(topic: Topic) -> Node:
    return {
        "action": "receive" if topic is EVENTS else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.about,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in messages(topic)],
    }


def messages(topic: Topic) -> dict[str, Node]:
    """A topic's kinds of records, by name. A compacted topic also has tombstones, which take a key away."""
    bindings = {"kafka": {"key": KEYS[topic.key], "bindingVersion": BINDING}}
    if topic is EVENTS:
        return {
            "Event": {
                "summary": "One event of the Segment spec; docs/input.md has its fields.",
                "payload": {},
                "bindings": bindings,
            }
        }
    found: dict[str, Node] = {}
    for kind in topic.types:
        name = message_name(topic, kind)
        described = {"$ref": f"#/components/schemas/{kind.__name__}"}
        examples = [example for example in shown(topic) if _is(example, kind)][:1]
        if topic in DEAD_LETTERS:
            body: Node = {
                "contentType": "application/octet-stream",
                "headers": described,
                "payload": AS_IT_CAME,
            }
            body["examples"] = [{"headers": example} for example in examples]
        else:
            body = {"payload": described, "examples": [{"payload": example} for example in examples]}
        if kind is schemas.Transition:
            body["headers"] = {"$ref": f"#/components/schemas/{schemas.TransitionHeaders.__name__}"}
        if kind in CORRELATION:
            body["correlationId"] = CORRELATION[kind]
        found[name] = {"summary": (kind.__doc__ or "").partition("\n")[0], **body, "bindings": bindings}
    if topic.cleanup is Cleanup.COMPACT and topic is not PROGRESS:  # a partition never goes
        summary = (
            "A tombstone: the last record under this key no longer holds. Only the key says which record"
            " it is about."
        )
        found[f"{message_name(topic, topic.types[0])}Tombstone"] = {
            "summary": summary,
            "payload": {"type": "null"},
            "bindings": bindings,
        }
    return found


def message_name(topic: Topic, kind: type) -> str:
    """The name of a kind of record. The two `current` topics have records of one type."""
    return kind.__name__.removesuffix("Headers") + ("Device" if topic is CURRENT_DEVICES else "")


def shown(topic: Topic) -> list[Node]:
    """The hand-written examples of a topic."""
    found: list[Node] = json.loads((EXAMPLES / f"{topic.name}.json").read_text(encoding="utf-8"))
    return found


def _is(example: Node, kind: type) -> bool:
    config = getattr(kind, "__struct_config__")  # noqa: B009  # every Struct has it; `type` does not know it
    return config.tag is None or example[config.tag_field] == config.tag


def draft_07(node: Any) -> Any:
    """Rewrites tuples as draft 07 has them, which AsyncAPI uses: `items`, then `additionalItems`."""
    if isinstance(node, list):
        return [draft_07(member) for member in node]
    if not isinstance(node, dict):
        return node
    node = {key: draft_07(value) for key, value in node.items()}
    if "prefixItems" in node:
        node["additionalItems"], node["items"] = node.pop("items", True), node.pop("prefixItems")
    return node
