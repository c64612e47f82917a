"""Writes the JSON Schema of every output topic from its type: `python -m schemas.generate`, or `make docs`.

The types are the source: a test compares the files in `schemas/json` with what this makes of them.
"""

import json
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

import schemas

HERE = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_TYPES: dict[str, Any] = {
    "transitions": schemas.Transition,
    "cues": schemas.Cue,
    "tallies": schemas.Tally,
    "funnel": schemas.FunnelTotal,
    "current": schemas.Current,
    "current_devices": schemas.Current,
    "identities": schemas.Identity,
    "journeys": schemas.JourneyRecord | schemas.RefundRecord,
    "late": schemas.LateHeaders,
    "rejected": schemas.RejectedHeaders,
    "redriven": schemas.Receipt,
    "progress": schemas.PartitionProgress,
}
WITH_FLAT_DIMENSIONS = (schemas.Tally.__name__, schemas.FunnelTotal.__name__)
FLAT_DIMENSIONS = {"^dim_": {"description": "the value of this dimension", "type": "string"}}
ABOUT = {
    "transitions": "Every step of every journey, with corrections. Key: the person's id.",
    "cues": "What happened inside the moments of journeys, with corrections. Key: the person's id.",
    "tallies": (
        "Funnel counters, absolute per source partition: add up the partitions. Compacted; key: partition and"
        " cell; a tombstone: the window is no longer kept."
    ),
    "funnel": (
        "Funnel counters, added up over the partitions; on Kafka only. Compacted; key: the cell; a tombstone:"
        " the window is no longer kept."
    ),
    "current": (
        "Where each user is now, about each need. Compacted; key: the user's id; a tombstone: forgotten."
    ),
    "current_devices": (
        "Where each device is now on which nobody was signed in. Compacted; key: the device's id; a"
        " tombstone: forgotten."
    ),
    "identities": (
        "Whose each device is, by who was signed in there last. Compacted; key: the device's id; a tombstone:"
        " nobody was signed in there for so long that it is forgotten."
    ),
    "journeys": "Finished journeys, never corrected, and their later refunds. Key: the person's id.",
    "late": (
        "Headers of an event that came too late to count; each is the text of its field. The value is the"
        " item as it came or, where form is event, what is known of it."
    ),
    "rejected": (
        "Headers of an item that could not be read; each is the text of its field. The value is the item as"
        " it came."
    ),
    "redriven": (
        "How redriven items ended. Key: where the item was read first, which part of its dead letter it is,"
        " and the command that redrove it."
    ),
    "progress": (
        "How far each partition has come, how its items ended, and which journeys are under way. Compacted;"
        " key: the partition."
    ),
}


def schema(topic: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a topic's values; for the dead letters, of their headers."""
    generated = tidy(msgspec.json.schema(SCHEMA_TYPES[topic]))
    return {
        "$schema": DIALECT,
        "$id": f"urn:customer-journey-streams:{topic}",
        "title": topic,
        "description": ABOUT[topic],
        **generated,
    }


def files() -> Iterator[tuple[Path, str]]:
    """Each schema file, and the text that it should hold."""
    for topic in SCHEMA_TYPES:
        yield (
            HERE / "json" / f"{topic}.schema.json",
            json.dumps(schema(topic), indent=2, ensure_ascii=False) + "\n",
        )


def tidy(node: Any) -> Any:
    """The schema without indentation in descriptions, and without `discriminator`, which is OpenAPI's.

    A counter gets the fields that repeat its dimensions, whose names no type can know.
    """
    if isinstance(node, dict):
        tidied = {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else tidy(value)
            for key, value in node.items()
            if key != "discriminator"
        }
        if tidied.get("title") in WITH_FLAT_DIMENSIONS:
            tidied["patternProperties"] = FLAT_DIMENSIONS
        return tidied
    return [tidy(member) for member in node] if isinstance(node, list) else node


if __name__ == "__main__":
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(HERE.parent))
