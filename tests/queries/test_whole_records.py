"""Addresses, queries and titles of pages are in whole records only: in no field of an output, metric or line
of the log, and of who refused consent there is nothing at all.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from structlog.testing import capture_logs

from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import decode_checkpoint
from streams.log.memory import MemoryLog
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from streams.telemetry.meters import Meters
from streams.topology import INBOX, LATE, OUTPUTS, REJECTED, STATE
from tests.core.ingest.formats.goldens import GOLDEN, goldens
from tests.queries.test_slices import NOW

SECRET = "zx9secret"  # stands in every address, query and title
WHOLE = (LATE.name, REJECTED.name, INBOX.name)  # their values are records as they came
_OF_PAGES = re.compile(r"url|href|refer|title|search|query|path|page|terms|link|keyword", re.IGNORECASE)
REFUSAL = {"consent": {"categoryPreferences": {"analytics": False}}}


def secretly(document: Any, key: str = "") -> Any:
    """The document with the secret in each text of a page: its address, its title, a search on it."""
    if isinstance(document, dict):
        return {name: secretly(value, name) for name, value in document.items()}
    if isinstance(document, list):
        return [secretly(value, key) for value in document]
    is_of_page = isinstance(document, str) and _OF_PAGES.search(key) and not document.startswith(("{", "["))
    return f"{document}{'&' if '?' in document else '?'}q={SECRET}" if is_of_page else document


def records_of_all_tools() -> Iterator[NewRecord]:
    """The golden records of each tool, and some calls whose page, search and title are secret."""
    n = 0
    for path in sorted(GOLDEN.glob("*.jsonl")):
        for golden in goldens(path.stem):
            record = golden.record
            if isinstance(record, str):
                value = record.replace("GET /", f"GET /{SECRET}/").encode()
            else:
                value = json.dumps(secretly(record)).encode()
            headers = tuple((name, text or b"") for name, text in golden.headers)
            yield NewRecord(n % 2, None, value, NOW, headers)
            n += 1
    page = dict.fromkeys(("url", "path", "title", "referrer", "search"), f"/cart/{SECRET}?q={SECRET}")
    for n, kind in enumerate(("page", "screen", "track") * 20):
        call = {
            "type": kind,
            "messageId": f"m{n}",
            "userId": f"u{n % 7}",
            "name": f"Cart {SECRET}",
            "event": ("Products Searched", "Product Added", "Order Completed", SECRET)[n % 4],
            "timestamp": f"2024-06-{1 + n % 5:02d}T10:{n % 60:02d}:00Z",
            "properties": {"query": f"shoes {SECRET}", "url": f"https://shop.example/cart/{SECRET}"},
            "context": {"page": page},
        }
        yield NewRecord(n % 2, None, json.dumps(call).encode(), NOW)
        if n < 7:  # and once more, too late
            call |= {"messageId": f"late{n}", "timestamp": "2010-01-01T00:00:00Z"}
            yield NewRecord(n % 2, None, json.dumps(call).encode(), NOW)
    yield NewRecord(0, None, f'{{"url": "{SECRET}"'.encode(), NOW)


BAD: tuple[dict[str, Any], ...] = (
    {"timestamp": SECRET},
    {"userId": 7.5, "anonymousId": [SECRET]},
    {"event": {SECRET: SECRET}},
)


def anything_of_who_refused() -> Iterator[NewRecord]:
    """Events and records of a person who refused, good and bad ones."""
    call = {
        "type": "track",
        "userId": f"{SECRET}-person",
        "event": "Order Completed",
        "timestamp": "2024-06-05T10:00:00Z",
        "context": REFUSAL,
    }
    for n, more in enumerate(({}, {}, *BAD)):
        yield NewRecord(n % 2, None, json.dumps(call | {"messageId": f"{SECRET}-{n}"} | more).encode(), NOW)


async def written(records: list[NewRecord]) -> tuple[MemoryLog, str]:
    """A log of two partitions that has processed these records, and its metrics."""
    log, meters = MemoryLog(2, round_robin=True), Meters()
    late = [record for record in records if b'"late' in record.value]
    await log.append([record for record in records if record not in late])
    agents = [
        await PartitionAgent.open(log, n, load_settings(), default_rules(), observers=(meters.committed,))
        for n in range(2)
    ]
    for n in range(6):
        if n == 3:
            await log.append(late)
        for agent in agents:
            await agent.catch_up()
    watermark_ms = max(agent.processor.population.watermark_ms for agent in agents)
    for agent in agents:
        await agent.catch_up(watermark_ms + 400 * 86_400_000)
    return log, meters.render().decode()


async def places(log: MemoryLog, secret: bytes) -> Counter[str]:
    """Where a text stands: `topic key`, `topic header NAME`, `topic value`."""
    found: Counter[str] = Counter()
    for topic in (*OUTPUTS, INBOX, STATE):
        async for _, record in log.scan(topic.name):
            if topic in (LATE, REJECTED):
                found[f"{topic.name} records"] += 1
            found[f"{topic.name} key"] += secret in (record.key or b"")
            found[f"{topic.name} value"] += secret in (record.value or b"")
            for name, value in record.headers:
                found[f"{topic.name} header {name}"] += secret in (value or b"")
    return +found


async def test_only_whole_records_have_addresses_queries_and_titles() -> None:
    """Of each tool's records: journeys come of them, and the secret is in the values of three topics only."""
    with capture_logs() as lines:
        log, metrics = await written([*records_of_all_tools()])
    found = await places(log, SECRET.encode())
    written_to = {f"{topic} value" for topic in WHOLE}
    assert written_to == {place for place in found if not place.endswith(" records")}
    assert SECRET not in metrics
    assert SECRET not in json.dumps(lines, default=repr)
    counts = [decode_checkpoint(raw).counts for raw in await log.checkpoints() if raw is not None]
    assert sum(c.applied for c in counts) > 50
    assert sum(c.late for c in counts) > 0
    assert sum(c.rejected for c in counts) > 0


async def test_of_who_refused_nothing_is_kept() -> None:
    """Neither an id nor a byte, in any topic, metric or line of the log; rejections have reason and place."""
    with capture_logs() as lines:
        log, metrics = await written([*anything_of_who_refused()])
    found = await places(log, SECRET.encode())
    assert {"rejected records": len(BAD)} == found
    assert SECRET not in metrics
    assert SECRET not in json.dumps(lines, default=repr)
    assert 'outcome="refused"' in metrics
