"""The stories of tests/golden/elsewhere.toml: records as tools write them that other programs misread."""

import asyncio
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import Transition
from streams.cli.render.amounts import amount_cell
from streams.core.moments.rules import default_rules, load_rules
from streams.core.processing.checkpoint import OUTCOMES
from streams.log.memory import MemoryLog
from streams.queries.net_records import list_net_records
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.topology import TRANSITIONS
from tests import golden

STORIES = tomllib.loads(Path(golden.__file__).with_name("elsewhere.toml").read_text("utf-8"))["story"]
COLUMNS = {"at", "who", "kind", "from", "to", "value"}
READ_AT_MS = 1_750_000_000_000  # after every story


@pytest.mark.parametrize("story", STORIES, ids=[story["title"] for story in STORIES])
@pytest.mark.parametrize("batch", [1, 500])
def test_a_story(story: dict[str, Any], batch: int) -> None:
    """Every record ends as it should, and what stands was worked out by hand, wherever batches end."""

    async def told() -> None:
        log = MemoryLog(1)
        lines = story["records"].strip().splitlines()
        await log.append([NewRecord(0, None, line.encode(), READ_AT_MS) for line in lines])
        rules = load_rules(story["rules"]) if "rules" in story else default_rules()
        agent = await PartitionAgent.open(log, 0, Settings(batch=batch), rules)
        await agent.catch_up()
        counts = agent.processor.checkpoint.counts
        assert Counter(story["ends"]) == +Counter({name: getattr(counts, name) for name in OUTCOMES})
        letters = [record async for _, record in log.scan("rejected")]
        assert story.get("rejected", []) == [dict(r.headers)["reason"].decode() for r in letters]
        steps = [_row(listed.record.value) async for listed in list_net_records(log, TRANSITIONS)]
        assert golden.rows_of(story["steps"], COLUMNS) == sorted(steps, key=lambda step: step["at"])
        assert (await verify(log, lambda done, total: None)).difference is None

    asyncio.run(told())


def _row(value: bytes | None) -> dict[str, str]:
    t = msgspec.json.decode(value or b"", type=Transition)
    cells = {
        "at": t.at[:19].replace("T", " "), "who": t.profile, "kind": t.kind,
        "from": t.from_, "to": t.to, "value": amount_cell(t.value_minor, t.currency),
    }  # fmt: skip
    return {name: cell for name, cell in cells.items() if cell}


def test_the_stories_are_told_in_full() -> None:
    """Each has a title of its own and says what it is about; most name a report."""
    assert len(STORIES) == len({story["title"] for story in STORIES})
    for story in STORIES:
        assert story.keys() <= {"title", "reported", "tells", "records", "rules", "ends", "rejected", "steps"}
        assert all(msgspec.json.decode(line) for line in story["records"].strip().splitlines())
