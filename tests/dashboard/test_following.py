"""The model follows the log, whatever happens to it."""

import asyncio

from streams.core.ingest.partition import partition_of
from streams.errors import Unavailable
from streams.log.memory import MemoryLog
from streams.log.tail import TAIL_LIMIT, Tail, TailPosition
from streams.queries.instants import ms_of
from streams.queries.views.health import STOPPED_AFTER_MS
from streams.queries.views.latest import LATEST_MOVES
from streams.records import NewRecord
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.identity import IdentitySettings
from streams.settings.tables import Settings
from tests.dashboard.asking import AskedDashboard, asked, shown
from tests.queries.written import RULES, SHOP, did


class Unsteady(MemoryLog):
    """A log that does not answer while it is `down`."""

    down = False

    async def tail(
        self, topic: str, partition: int, position: TailPosition | None = None, limit: int = TAIL_LIMIT
    ) -> Tail:
        if self.down:
            raise Unavailable("nobody answers")
        return await super().tail(topic, partition, position, limit)


async def test_a_log_that_goes_away_comes_back_by_itself() -> None:
    """Meanwhile the figures stay, and the page knows why they do not change."""
    log = Unsteady(1)
    dashboard = AskedDashboard(log)
    await dashboard.following.start(Settings().fold)
    running = asyncio.create_task(dashboard.following.run())

    async def until(state: str) -> None:
        while (await dashboard.get("/api/progress")).json["state"] != state:
            await asyncio.sleep(0.01)

    while (await dashboard.get("/readyz")).status != 200:
        await asyncio.sleep(0.01)
    log.down = True
    await until("unreachable")
    assert 503 == (await dashboard.get("/readyz")).status
    assert 200 == (await dashboard.get("/api/people")).status
    assert 1 == len(dashboard.troubles)
    log.down = False
    await until("empty")
    assert 2 == len(dashboard.troubles)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_nobody_is_called_stopped_while_the_log_does_not_answer() -> None:
    """It takes a while until that is known. What partitions have written meanwhile, nobody can read."""
    dashboard = await asked(await shown(SHOP))
    now_ms = dashboard.clock.now_ms = max(
        ms_of(progress.written_at) for progress in dashboard.model.health.progress.values()
    )
    await dashboard.following.turn()
    assert "idle" == dashboard.model.state(now_ms)
    assert "idle" == dashboard.model.state(now_ms + 10 * STOPPED_AFTER_MS)
    dashboard.clock.now_ms = now_ms + 10 * STOPPED_AFTER_MS
    await dashboard.following.turn()  # it has answered, and nothing has come
    assert "stopped" == dashboard.model.state(dashboard.clock.now_ms)


async def test_an_empty_log_learns_its_dimensions_with_the_first_event() -> None:
    """Until then those of the settings are known."""
    log = MemoryLog(1)
    dashboard = await asked(log)
    assert 400 == (await dashboard.get("/api/by?by=plan")).status
    settings = Settings.model_validate(
        {"dimensions": {"plan": {"values": ["pro"], "path": "properties.plan"}}}
    )
    agent = await PartitionAgent.open(log, 0, settings, RULES)
    records = [did("u:ann", "look", 0, properties={"plan": "pro"})]
    await log.append([NewRecord(0, None, record, 2_000_000_000_000) for record in records])
    await agent.catch_up()
    while not await dashboard.following.turn():
        pass
    (whole, pro) = (await dashboard.get("/api/by?by=plan")).json["by"]["rows"]
    assert ("pro", 1) == (pro["value"], whole["opened"])


async def test_only_the_newest_moves_are_read() -> None:
    """However many there are: those of years say nothing about now."""
    records = [did(f"u:{number}", "look", number / 10) for number in range(25 * LATEST_MOVES)]
    log = await shown([*records, *SHOP])
    dashboard = await asked(log)
    assert 20 * LATEST_MOVES == dashboard.model.steps.number
    assert 20 == len((await dashboard.get("/api/latest")).json["latest"])


async def test_moves_are_shown_before_all_partitions_have_come_so_far() -> None:
    """The figures end where the slowest partition is; the latest moves do not wait for it, and say when."""
    log = MemoryLog(2)
    settings = Settings(identity=IdentitySettings(on=False))  # else partitions wait for each other
    agents = [await PartitionAgent.open(log, number, settings, RULES) for number in range(2)]
    for number, minutes in enumerate(((0, 120), (90,))):
        who = next(f"u:{name}" for name in "abcdef" if partition_of(name.encode(), 2) == number)
        records = [did(who, "look", minute) for minute in minutes]
        await log.append([NewRecord(number, None, record, 2_000_000_000_000) for record in records])
        agents[number].batch = 1
        await agents[number].step()
    overview = (await (await asked(log)).get("/api/overview")).json
    assert "2024-05-01T00:00:00.000Z" == overview["as_of"]
    assert "2024-05-01T01:30:00.000Z" == overview["latest"][0]["at"]
