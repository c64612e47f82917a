"""A dashboard that has just been started shows what it knows, and nothing that it does not know."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.dashboard import following as following_module
from streams.log.memory import MemoryLog
from streams.queries.views import feeding
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from tests.dashboard.asking import AskedDashboard, shown
from tests.queries.written import DAY, RULES, did

OF_RANGE = ("moves", "purchases", "revenue", "opened", "by", "dwell", "cues")
AS_THEY_END = ("as_of", "people", "range", "filter", "dimensions", "latest", "state")


def month() -> list[bytes]:
    """Four weeks of somebody new each day, who buys, and of somebody who looks."""
    return [
        record
        for day in range(28)
        for record in (
            did(f"u:buyer-{day}", "look", day * DAY), did(f"u:buyer-{day}", "cart", day * DAY + 9),
            did(f"u:buyer-{day}", "pay", day * DAY + 10), did(f"u:visitor-{day}", "look", day * DAY + 20),
        )
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def slow_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that takes many reads."""
    monkeypatch.setattr(feeding, "FEED_RECORDS", 100)
    monkeypatch.setattr(following_module, "NEWS_EVERY_S", 0.0)


async def turns(dashboard: AskedDashboard, address: str) -> AsyncIterator[Any]:
    """What is answered after each piece that was read."""
    at_end = False
    while not at_end:
        at_end = await dashboard.following.turn()
        yield (await dashboard.get(address)).json


@pytest.mark.parametrize("asked_range", ["24h", "28d"])
async def test_what_is_shown_early_is_what_is_shown_at_the_end(asked_range: str) -> None:
    """Who is under way at once, then what is new, then all; what is not known is named and null."""
    dashboard = AskedDashboard(await shown(month(), 2))
    await dashboard.following.start(Settings().fold)
    answers = [answer async for answer in turns(dashboard, f"/api/overview?range={asked_range}")]
    early, last = [answer for answer in answers if answer.get("reading")], answers[-1]
    assert (None, []) == (last["reading"], last["unread"])
    assert 3 < len(early)
    for answer in early:
        assert {*AS_THEY_END} <= {name for name in answer if answer[name] == last[name]}
        for name in (*OF_RANGE, "hours", "cohort", "time_to_convert"):
            if name in answer["unread"]:
                assert answer[name] is None, name
            elif name != "purchases":
                assert answer[name] == last[name], name
        if "purchases" not in answer["unread"]:
            assert "usual" in answer["unread"]
            for point, end in zip(answer["purchases"]["points"], last["purchases"]["points"], strict=True):
                assert (end["count"], None) == (point["count"], point["usual"])
            assert None is answer["purchases"]["before"]
    shares = [answer["reading"]["share"] for answer in early]
    assert sorted(shares) == shares
    assert 0 <= shares[0] < shares[-1] <= 1
    known = [not {*OF_RANGE} & {*answer["unread"]} for answer in early]
    assert (asked_range == "24h") == any(known)
    assert not known[0]


async def test_a_part_that_is_not_known_is_asked_for_again_later() -> None:
    """With 503; what is known is answered."""
    dashboard = AskedDashboard(await shown(month()))
    await dashboard.following.start(Settings().fold)
    while dashboard.model.known_from_ms is None:
        assert 503 == (await dashboard.get("/readyz")).status
        assert 503 == (await dashboard.get("/api/funnel")).status
        await dashboard.following.turn()
    expected = {
        "/readyz": 200, "/api/people": 200, "/api/moves": 200, "/api/hours": 200, "/api/funnel": 200,
        "/api/cohorts": 200, "/api/latest": 200,
        "/api/moves?range=28d": 503, "/api/purchases": 503, "/api/cohorts?range=7d": 503,
        "/api/funnel?last=30d&until=2024-05-29T00:00:00Z": 503,
    }  # fmt: skip
    assert expected == {address: (await dashboard.get(address)).status for address in expected}
    assert b"streams_dashboard_ready 0.0" in (await dashboard.get("/metrics")).body
    while not await dashboard.following.turn():
        pass
    assert {200} == {(await dashboard.get(address)).status for address in expected}


async def test_what_comes_meanwhile_is_shown() -> None:
    """While the old counters are read, the newest ones go on; the whole table has them, too."""
    log = await shown(month())
    dashboard = AskedDashboard(log)
    await dashboard.following.start(Settings().fold)
    agent = await PartitionAgent.open(log, 0, Settings(), RULES)

    async def opened_ever() -> int:
        return int((await dashboard.get("/api/funnel")).json["report"]["journeys"]["opened"])

    seen, number = list[tuple[bool, int]](), 0
    while not dashboard.model.is_ready:
        await dashboard.following.turn()
        if dashboard.model.known_from_ms:
            opened = await opened_ever()
            seen.append((dashboard.model.is_ready, opened))
            await log.append(
                [NewRecord(0, None, did(f"u:new-{number}", "look", 28 * DAY), 2_000_000_000_000)]
            )
            await agent.catch_up()
            number += 1
    counts = [count for is_ready, count in seen if not is_ready]
    assert [counts[0] + n for n in range(len(counts))] == counts
    while not await dashboard.following.turn():
        pass
    assert counts[0] + number == await opened_ever()


async def test_an_empty_log_has_nothing_to_read() -> None:
    """It is shown as empty, and not as being read."""
    dashboard = AskedDashboard(MemoryLog(2))
    await dashboard.read()
    answer = (await dashboard.get("/api/overview")).json
    assert ("empty", None, []) == (answer["state"], answer["reading"], answer["unread"])
