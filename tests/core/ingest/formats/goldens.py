"""Golden files: records of each tool, and what each of them is read as.

A line of `golden/NAME.jsonl` has the record (JSON, or the text of a line), its headers if it has some, and
what it is read as. `python -m tests.core.ingest.formats.goldens NAME` writes anew what is read: look at the
difference before you believe it.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streams.core.ingest.event import Event, Items, Rejection
from tests.reading import read_record

GOLDEN = Path(__file__).parent / "golden"

Headers = Sequence[tuple[str, bytes | None]]


class Golden(NamedTuple):
    """A line of a golden file."""

    about: str  # what the record shows
    record: Any
    headers: Headers
    read: Any

    @property
    def value(self) -> bytes:
        """The record's bytes."""
        return self.record.encode() if isinstance(self.record, str) else json.dumps(self.record).encode()


def goldens(name: str) -> list[Golden]:
    """All lines of a golden file."""
    lines = (GOLDEN / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [
        Golden(
            line["about"],
            line["record"],
            tuple((key, value.encode()) for key, value in line.get("headers", {}).items()),
            line.get("read"),
        )
        for line in map(json.loads, lines)
    ]


def shown(outcome: Event | Rejection | Items) -> Any:
    """What a record was read as, as a golden file shows it: without what is empty."""
    if isinstance(outcome, Items):
        return [shown(item.outcome) for item in outcome.items]
    fields = msgspec.json.decode(msgspec.json.encode(outcome))
    fields.pop("nobodys", None)  # what is read of an event that only lacks a person
    return {
        key: value for key, value in fields.items() if value not in (None, "", [], {}) and value is not False
    }


def write(name: str) -> None:
    """Writes anew what the records of a golden file are read as."""
    lines = []
    for golden in goldens(name):
        headers = {key: (value or b"").decode() for key, value in golden.headers}
        line: dict[str, Any] = {"about": golden.about, "record": golden.record}
        if headers:
            line["headers"] = headers
        line["read"] = shown(read_record(golden.value, golden.headers))
        lines.append(json.dumps(line, ensure_ascii=False))
    (GOLDEN / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    for named in sys.argv[1:]:
        write(named)
