"""What `verify` and `why` know of events that are counted apart, and what a later start changes."""

import json
from typing import Any

import pytest

from streams.core.moments.rules import default_rules
from streams.core.processing.checkpoint import Counts, decode_checkpoint
from streams.core.processing.dead_letters import REFUSED_DETAIL
from streams.log.memory import MemoryLog
from streams.queries.person import Person
from streams.queries.verify import Verified, verify
from streams.queries.why import read_why
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.loading import load_settings
from tests.queries.test_slices import NOW
from tests.queries.written import did

ROBOT: dict[str, Any] = {"context": {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}
REFUSED: dict[str, Any] = {"context": {"consent": {"categoryPreferences": {"analytics": False}}}}


async def process(log: MemoryLog, *values: bytes, **settings: Any) -> Counts:
    """Another agent, perhaps with other settings, processes these records too."""
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    agent = await PartitionAgent.open(log, 0, load_settings(batch=500, **settings), default_rules())
    await agent.catch_up()
    (stored,) = await log.checkpoints()
    return decode_checkpoint(stored or b"").counts


async def verified(log: MemoryLog) -> Verified:
    return await verify(log, lambda done, total: None)


def look(who: str, minute: int, **more: Any) -> bytes:
    return did(f"u:{who}", "Product Viewed", minute, **more)


async def test_another_version_of_the_list_is_another_era(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read by a list that this release does not have is unchecked, named with its offsets; no
    difference is claimed.
    """
    log = MemoryLog(1)
    await process(log, look("ann", 0), look("bot", 1, **ROBOT))
    for module in ("streams.core.ingest.door", "streams.runtime.parameters"):
        monkeypatch.setattr(f"{module}.robots_version", lambda: "crawler-user-agents 99.0, clues 1")
    found = await verified(log)
    assert (None, 0) == (found.difference, found.counters)
    ((source, first, last, reader),) = found.unchecked
    assert ("events:0", 0, 1) == (source, first, last)
    assert reader.startswith("crawler-user-agents 1.")
    counts = await process(log, look("bob", 2))
    assert (2, 1) == (counts.applied, counts.robot)
    assert [(0, 1)] == [(them.first, them.last) for them in (await verified(log)).unchecked]


async def test_settings_may_change_at_any_start() -> None:
    """Robots that count from a start on, a text more, a category less: what was read stays read."""
    log = MemoryLog(1)
    await process(log, look("ann", 0), look("bot", 1, **ROBOT), look("eve", 2, **REFUSED))
    await process(log, look("bot", 3, **ROBOT), look("eve", 4, **REFUSED), count_robots=True)
    await process(log, look("eve", 5, **REFUSED), look("bot", 6, **ROBOT), consent_categories=["ads"])
    await process(log, look("ann", 7, context={"userAgent": "ShopMonitor/1"}), robots=["shopmonitor"])
    await process(log, look("bot", 8, **ROBOT), not_robots=["googlebot"])
    counts = await process(
        log, look("ann", 9, properties={"agrees": "no"}), look("ann", 10), consent=["properties.agrees"]
    )
    assert (11, 5, 3, 3) == (counts.received, counts.applied, counts.refused, counts.robot)
    found = await verified(log)
    assert (None, ()) == (found.difference, tuple(found.unchecked))


async def test_why_tells_how_they_ended() -> None:
    """Of a robot's event all that is known; of a refused one nothing but where it is."""
    log = MemoryLog(1)
    await process(log, look("ann", 0), look("ann", 1, **REFUSED), look("ann", 2, **ROBOT))
    found = await read_why(log, Person("u:ann", None), lambda done, total: None)
    stories = {story.offset: story for story in found.stories}
    assert ["applied", "refused", "robot"] == [stories[n].ending for n in range(3)]
    refused, robot = stories[1], stories[2]
    assert (None, None, None, None, None) == (
        refused.event, refused.name, refused.type, refused.at, refused.read_as,
    )  # fmt: skip
    assert ("Product Viewed", None) == (robot.name, robot.read_as)


async def test_why_says_no_more_of_a_rejected_record_than_its_dead_letter() -> None:
    """Where its person refuses: the reason, and the place. One of the future was rejected, not refused."""
    log = MemoryLog(1)
    call = {"type": "track", "messageId": "1", "userId": "ann", "event": "Product Viewed", **REFUSED}
    values = [json.dumps(call | {"timestamp": time}).encode() for time in ("secret", "2099-01-01T00:00:00Z")]
    counts = await process(log, look("ann", 0), *values)
    assert (2, 0) == (counts.rejected, counts.refused)
    found = await read_why(log, Person("u:ann", None), lambda done, total: None)
    stories = {story.offset: story for story in found.stories}
    assert [("rejected", "bad_time", REFUSED_DETAIL), ("rejected", "from_the_future", REFUSED_DETAIL)] == [
        (stories[n].ending, stories[n].reason, stories[n].detail) for n in (1, 2)
    ]


async def test_why_knows_that_they_are_not_forwarded() -> None:
    """What is counted apart is counted where it was read, whichever partition owns its person."""
    log = MemoryLog(2)
    values = [look("ann", 0), look("ann", 1, **ROBOT), look("ann", 2, **REFUSED)]
    await log.append([NewRecord(n, None, value, NOW) for n in range(2) for value in values])
    agents = [await PartitionAgent.open(log, n, load_settings(), default_rules()) for n in range(2)]
    for _ in range(3):
        for agent in agents:
            await agent.catch_up()
    found = await read_why(log, Person("u:ann", None), lambda done, total: None)
    forwarded = {(story.ending, story.forwarded_to is not None) for story in found.stories}
    assert {("robot", False), ("refused", False)} < forwarded
    assert not forwarded & {("robot", True), ("refused", True)}
    assert any(story.forwarded_to is not None for story in found.stories)
