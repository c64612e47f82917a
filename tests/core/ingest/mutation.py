"""Mutated records of every format: none of them raises, and each is an event, items, or refused by a reason.

`python -m tests.core.ingest.mutation --records 1000000` goes on for longer than the tests do.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from streams.core.ingest.event import EVENT_TYPES, OTHER_CALLS, Event, Items, Reason, Rejection
from streams.core.ingest.reading import DEFECT, ReadOutcome
from streams.core.ingest.times import EARLIEST_MS, LATEST_MS
from tests.core.ingest.formats.goldens import GOLDEN, Headers, goldens
from tests.reading import NEVER_MS, READER

RawRecord = tuple[bytes, Headers]

_STRANGE: list[Any] = [
    None, True, False, 0, -1, 17, 10**25, 1.5, float("nan"), float("inf"), "", " ", "undefined", "null", "0",
    "\x00", "\ud83d", "é", "x" * 300,
    "2024-05-20T10:13:20Z", "2024-05-20", 1_716_200_000, [], [[]], {}, {"": None},
    ["a", 1], {"value": {"string_value": "x"}}, "{}", "[]", '{"a": "{}"}',
]  # fmt: skip
_BYTES = (
    b"\x00",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b":",
    b"\n",
    b"\t",
    b"\\ud83d",
    b"9",
    b"-",
)


def golden_records() -> list[RawRecord]:
    """The records of the golden files of all formats, with their headers."""
    names = sorted(path.stem for path in GOLDEN.glob("*.jsonl"))
    return [(golden.value, golden.headers) for name in names for golden in goldens(name)]


def mutated(record: RawRecord, others: list[RawRecord], rnd: random.Random) -> RawRecord:
    """The record with some of its bytes or members changed."""
    value, headers = record
    for _ in range(rnd.choice((1, 1, 1, 2, 4))):
        value = _other_bytes(value, rnd) if rnd.random() < 0.5 else _other_members(value, others, rnd)
    if headers and rnd.random() < 0.1:
        headers = ((headers[0][0], rnd.choice((b"", b"\xff", b"nonsense"))), *headers[1:])
    return value, headers


def _other_bytes(value: bytes, rnd: random.Random) -> bytes:
    start = rnd.randrange(len(value) + 1)
    end = min(len(value), start + rnd.choice((0, 0, 1, 1, 2, 8, 64)))
    return value[:start] + rnd.choice((b"", *_BYTES)) + value[end:]


def _other_members(value: bytes, others: list[RawRecord], rnd: random.Random) -> bytes:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return _other_bytes(value, rnd)
    places = list(_places(document))
    if not places:
        return json.dumps(rnd.choice(_STRANGE)).encode()
    holder, key = rnd.choice(places)
    kind = rnd.random()
    if kind < 0.2:
        del holder[key]
    elif kind < 0.3 and isinstance(holder, dict):
        holder[f"{key}{rnd.choice(('s', '_id', 'Id'))}"] = holder.pop(key)
    elif kind < 0.4:
        holder[key] = [holder[key]]
    elif kind < 0.5:
        try:
            holder[key] = json.loads(rnd.choice(others)[0])
        except ValueError:
            holder[key] = None
    else:
        holder[key] = rnd.choice(_STRANGE)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    )
    for key in keys:
        yield document, key
        yield from _places(document[key])


def check(value: bytes, headers: Headers) -> str:
    """Reads a record and checks the law. Returns how it ended."""
    outcome = READER.read(value, headers, -1, NEVER_MS)
    if isinstance(outcome, Items):
        for item in outcome.items:
            _check_outcome(item.outcome)
            if isinstance(item.outcome, Event):
                again = READER.read(item.value, headers, -1, NEVER_MS)
                assert again == item.outcome, (value, headers, item, again)
        return "items"
    _check_outcome(outcome)
    return outcome.reason.value if isinstance(outcome, Rejection) else "event"


def _check_outcome(outcome: ReadOutcome) -> None:
    if isinstance(outcome, Rejection):
        assert isinstance(outcome.reason, Reason)
        assert outcome.detail.isprintable()
        assert not outcome.detail.startswith(DEFECT), outcome.detail
        assert 0 < len(outcome.detail) <= 200
    elif isinstance(outcome, Event):
        assert outcome.id
        assert outcome.user_id or outcome.anonymous_id
        assert EARLIEST_MS <= outcome.at_ms < LATEST_MS
        assert -96 <= outcome.utc_offset_quarters < 96
        assert outcome.type in (*EVENT_TYPES, *OTHER_CALLS)
        assert isinstance(outcome.properties, dict)
        assert isinstance(outcome.context, dict)
        json.dumps([outcome.properties, outcome.context, outcome.name], allow_nan=False).encode()
        outcome.name.encode()
    else:
        assert not outcome.items, "items within items"


def run(records: int, seed: int) -> Counter[str]:
    """Mutates and checks so many records. Returns how they ended."""
    rnd, golden = random.Random(seed), golden_records()
    ends: Counter[str] = Counter()
    for _ in range(records):
        value, headers = mutated(rnd.choice(golden), golden, rnd)
        try:
            ends[check(value, headers)] += 1
        except Exception as error:
            raise AssertionError(f"{error!r} by {value!r} with {headers!r}") from error
    return ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.core.ingest.mutation", description=__doc__)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for end, count in run(args.records, args.seed).most_common():
        print(f"{count:9,} {end}")
