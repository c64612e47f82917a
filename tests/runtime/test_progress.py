"""What a partition says of itself in `progress`: when it says it, and what it tells apart."""

import msgspec

from schemas import JourneysUnderWay, PartitionProgress
from streams.log.memory import MemoryLog
from streams.queries.views.health import BEHIND_AFTER_MS, IDLE_AFTER_MS, STOPPED_AFTER_MS, Health, HealthView
from streams.records import NewRecord
from streams.runtime.partition_agent import PROGRESS_EVERY_S, PartitionAgent
from streams.settings.tables import Settings
from tests.core.processing.feeding import HOUR, MINUTE, START, event, rules
from tests.telemetry.fixed import FixedClock


class Place:
    """One partition over the memory log, its clock, and whoever looks at it."""

    def __init__(self, batch: int = 100) -> None:
        self.log, self.clock = MemoryLog(1), FixedClock(START / 1000)
        self.settings = Settings(batch=batch)

    async def open(self) -> PartitionAgent:
        return await PartitionAgent.open(self.log, 0, self.settings, rules(), clock=self.clock)

    async def append(self, *values: bytes) -> None:
        await self.log.append([NewRecord(0, None, value, self.clock.wall_ms()) for value in values])

    async def said(self) -> list[PartitionProgress]:
        """Every record that the topic was given since its last compaction."""
        tail = await self.log.tail("progress", 0)
        return [msgspec.json.decode(record.value or b"", type=PartitionProgress) for record in tail.records]

    async def health(self) -> Health:
        view = HealthView(1)
        for record in (await self.log.tail("progress", 0)).records:
            view.apply("progress", record.key, record.value)
        return view.of_app(self.clock.wall_ms())


async def test_a_record_comes_with_a_batch_and_at_most_once_a_second() -> None:
    """What a later batch changed is shown when the second is over, if need be in a commit of its own."""
    place = Place()
    agent = await place.open()
    for n in range(3):
        await place.append(event(n * MINUTE, f"e{n}"))
        await agent.step()
        place.clock.now_s += PROGRESS_EVERY_S / 4
    assert [1] == [said.received for said in await place.said()]
    assert not agent.has_progress_to_show
    place.clock.now_s += PROGRESS_EVERY_S / 4
    assert agent.has_progress_to_show
    await agent.step(checkpoint=True)
    assert [1, 3] == [said.received for said in await place.said()]
    place.clock.now_s += 10 * PROGRESS_EVERY_S
    assert not agent.has_progress_to_show


async def test_the_end_of_an_input_is_shown() -> None:
    """Nothing comes after it, so it does not wait for the second to be over."""
    place = Place()
    agent = await place.open()
    await place.append(event(0, "a"))
    await agent.step()
    await place.append(event(MINUTE, "b"))
    await agent.catch_up()
    await agent.show_progress()
    await agent.show_progress()
    assert [1, 2] == [said.received for said in await place.said()]


async def test_a_record_says_what_was_committed_with_it() -> None:
    """How far it has come, how items ended and why, and who is under way; the same after a restart."""
    place = Place()
    place.clock.now_s += 2 * HOUR / 1000
    agent = await place.open()
    await place.append(event(0, "a", user="1"), b"{", event(2 * HOUR, "b", user="2"), b"1")
    await agent.step()
    await agent.close()
    place.clock.now_s += 2
    await (await place.open()).step(checkpoint=True)
    first, second = await place.said()
    assert ("2024-01-01T02:00:00.000Z", "2024-01-01T01:59:59.999Z") == (first.watermark, first.timers_fired)
    assert (4, {"applied": 2, "rejected": 2}) == (
        first.received,
        {outcome: n for outcome, n in first.outcomes.items() if n},
    )
    assert {"undecodable": 1, "wrong_type": 1} == first.reasons["rejected"]
    dimensions = {"device": "other", "channel": "other"}
    assert (JourneysUnderWay("know", dimensions, open=2, stalled=0, active_5m=1, active_30m=1),) == (
        first.under_way
    )
    assert (first.rev + 1, 0) == (second.rev, first.lag)
    moved = {name: getattr(second, name) for name in ("written_at", "rev", "lag", "sources")}
    assert second == msgspec.structs.replace(first, **moved)


async def test_three_reasons_for_no_purchases_are_told_apart() -> None:
    """Nobody bought, no events come, and the partition is behind; and nobody works on it."""
    place = Place(batch=1)
    agent = await place.open()
    await place.append(event(0, "a"))
    await agent.step()
    assert Health.LIVE is await place.health()

    place.clock.now_s += IDLE_AFTER_MS / 1000 + 1
    await agent.step(clock_ms=place.clock.wall_ms(), checkpoint=True)
    assert Health.IDLE is await place.health()

    place.clock.now_s += BEHIND_AFTER_MS / 1000 + 1
    now_ms = place.clock.wall_ms() - START
    await place.append(event(now_ms - 2 * BEHIND_AFTER_MS, "b"), event(now_ms, "c"))
    await agent.step()
    assert Health.BEHIND is await place.health()

    place.clock.now_s += 1
    await agent.step()
    assert Health.LIVE is await place.health()

    place.clock.now_s += STOPPED_AFTER_MS / 1000 + 1
    assert Health.STOPPED is await place.health()
