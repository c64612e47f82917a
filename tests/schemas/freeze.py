"""Keeps what this version of the contract looks like: `python -m
tests.schemas.freeze`, once for each version.

The JSON Schemas as they are, and records of a real run: as few as show every
shape and every word that a field can have.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

import schemas
from schemas import generate
from streams.core.journeys.profile import MAX_LIVE_SIGNALS, SEGMENT
from streams.records import Output
from streams.topology import LATE, REJECTED
from tests.golden_topics import records, run

HERE = Path(schemas.__file__).parent
WORDS = (
    "op",
    "kind",
    "moment",
    "cue",
    "from",
    "to",
    "furthest",
    "furthest_before",
    "outcome",
    "measure",
    "window",
    "record",
    "reason",
    "tenant",
    "need",
)


def robot() -> list[bytes]:
    """More signals at once than a profile holds, and then one from before them."""
    event = (
        '{"type":"track","messageId":"r-%d","userId":"robot","event":"Product Viewed",'
        '"timestamp":"2026-07-28T11:%02d:%02dZ"}'
    )
    return [(event % (n, *divmod(n, 60))).encode() for n in [*range(1, MAX_LIVE_SIGNALS + 2 * SEGMENT), 0]]


async def real() -> list[Output]:
    """What is published of the golden input, of the same with tenants and a robot, and of the same when
    nobody ever signs in.
    """
    without, with_tenants = await run(records()), await run([*records(), *robot()], tenant="context.shop")
    devices = await run([value.replace(b'"userId"', b'"anonymousId"') for value in records()])
    return [output for _, output in [*without, *with_tenants, *devices]]


def told(output: Output) -> Any:
    """A record as its schema describes it: the value; of the ledgers the headers."""
    if output.topic in (LATE.name, REJECTED.name):
        text = {name: value.decode() for name, value in output.headers}
        return msgspec.to_builtins(msgspec.convert(text, generate.SCHEMA_TYPES[output.topic], strict=False))
    return None if output.value is None else json.loads(output.value)


def shapes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a record shows: its fields with their types, and the words of the closed vocabularies."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from shapes(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value[:3] or [None]:
            yield from shapes(member, f"{path}[]")
    else:
        yield (
            path,
            value if path.rpartition(".")[2] in WORDS or isinstance(value, bool) else type(value).__name__,
        )


def chosen(found: list[Any]) -> Iterator[Any]:
    """Each record that shows something that none before it has shown."""
    seen: set[tuple[str, Any]] = set()
    for record in found:
        new = {*shapes(record), (".kind+op", f"{record.get('kind')}+{record.get('op')}")} - seen
        if new:
            seen |= new
            yield record


def files() -> Iterator[tuple[Path, str]]:
    """Each file of this version with what belongs into it."""
    outputs = asyncio.run(real())
    for topic in generate.SCHEMA_TYPES:
        yield (
            HERE / "history" / f"v{schemas.VERSION}" / f"{topic}.schema.json",
            json.dumps(generate.schema(topic), indent=2, ensure_ascii=False),
        )
        values = [
            value for output in outputs if output.topic == topic and (value := told(output)) is not None
        ]
        shown = ",\n".join(json.dumps(value, ensure_ascii=False) for value in chosen(values))
        yield HERE / "examples" / f"v{schemas.VERSION}" / f"{topic}.json", f"[\n{shown}\n]"


if __name__ == "__main__":
    for path, text in files():
        assert not path.exists(), (
            f"{path} is kept: a version that was released does not change. Raise schemas.VERSION"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        print(path.relative_to(HERE))
