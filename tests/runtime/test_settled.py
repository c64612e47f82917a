"""The settled mark: it comes to rest at the end of all that was read, without a further event, and a
partition that is away holds it back.
"""

from pathlib import Path
from typing import Any

from streams.clock import Clock
from streams.core.ingest.partition import partition_of
from streams.core.processing.committed import Committed
from streams.log.memory import MemoryLog
from streams.queries.passing import send_pass, wait_for_pass
from streams.records import NewRecord
from streams.runtime.embedded import Embedded
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.sources.finite_input import FiniteInput
from streams.sources.input_file import InputFormat
from streams.telemetry.meters import Meters
from tests.core.processing.feeding import DAY, HOUR, MINUTE, START, event, rules
from tests.runtime.crew import Crew
from tests.runtime.virtual import virtual
from tests.telemetry.fixed import FixedClock

PARTITIONS = 3
IDENTITY = {"on": True, "back": "1h"}
NOW = START + 30 * DAY  # after all events
FINAL_MS = 2 * DAY + HOUR  # the finality delay


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"partitions": PARTITIONS, "identity": IDENTITY, **more})


def person_of(partition: int) -> str:
    """A user whose owner partition this is, of `PARTITIONS`."""
    return next(f"u{n}" for n in range(99) if partition_of(f"u{n}".encode(), PARTITIONS) == partition)


def orders(count: int, apart_ms: int) -> list[bytes]:
    """Orders of the people of all partitions by turns."""
    return [event(n * apart_ms, f"order-{n}", "Bought", user=person_of(n % PARTITIONS)) for n in range(count)]


async def finals(embedded: Embedded) -> list[bytes]:
    """The final records, without where they were written."""
    return sorted([record.value or b"" async for _, record in embedded.log.scan("journeys")])


async def test_the_end_of_a_finite_replay_is_settled_everywhere(tmp_path: Path) -> None:
    """Whatever the number of partitions, all journeys are final that can be by the input's end. Without a
    clock: it stands still.
    """
    path = tmp_path / "clicks"
    path.write_bytes(b"\n".join(orders(20, 12 * HOUR)) + b"\n")
    ended = []
    for partitions in (1, 2, PARTITIONS):
        given = settings(data_dir=tmp_path / str(partitions), partitions=partitions, batch=5)
        embedded = await Embedded.open(given, rules(), clock=FixedClock(NOW / 1000))
        await embedded.replay(FiniteInput([path], InputFormat()), lambda progress: None)
        marks = {agent.processor.population.settled_mark_ms for agent in embedded.agents}
        assert {START + 19 * 12 * HOUR} == marks
        ended.append(await finals(embedded))
        await embedded.close()
    within = [n for n in range(20) if n * 12 * HOUR + 30 * MINUTE < 19 * 12 * HOUR - FINAL_MS]
    assert len(within) == len(ended[0])
    assert ended[0] == ended[1] == ended[2]


async def test_an_idle_directory_settles(tmp_path: Path) -> None:
    """Nothing comes any more, and one partition has read less than the others: some seconds later all that
    was read is settled in each, and nobody writes a report any more.
    """
    clock, steps = FixedClock(NOW / 1000), list[Committed]()
    given = settings(data_dir=tmp_path / "data")
    embedded = await Embedded.open(given, rules(), observers=(steps.append,), clock=clock)
    await embedded.append([(value, ()) for value in orders(7, DAY)])
    for _ in range(10):
        await embedded.step(idle_s=0.0)
        clock.now_s += 2.0
    assert [START + 6 * DAY] * PARTITIONS == [step.settled_mark_ms for step in steps[-PARTITIONS:]]
    assert 4 == len(await finals(embedded)), "of those before day 6 less the finality delay"
    before = len([record async for _, record in embedded.log.scan("inbox")])
    for _ in range(5):
        clock.now_s += 2.0
        await embedded.step(idle_s=0.0)
    assert before == len([record async for _, record in embedded.log.scan("inbox")])
    await embedded.close()


@virtual
async def test_idle_partitions_of_a_worker_settle() -> None:
    """One partition has all the events, and the others tell it that they have none."""
    crew = Crew(PARTITIONS, settings(batch=50))
    crew.hire("a")
    await crew.open_everywhere("a")
    user = person_of(0)
    values = [event((n - 6) * DAY, f"order-{n}", "Bought", user=user) for n in range(7)]
    await crew.log.append([NewRecord(0, None, value, START) for value in values])
    await crew.until(
        lambda: {START} == {step.settled_mark_ms for _, step in crew.figures["a"].steps[-PARTITIONS:]}
    )
    await crew.caught_up()
    assert 4 == len([record async for _, record in crew.log.scan("journeys")])
    await crew.dismiss("a")


async def test_a_partition_that_is_away_holds_back_what_is_final() -> None:
    """The other one excludes it, and lets timers fire; nothing is final until it is back."""
    log, clock, meters = MemoryLog(2), FixedClock(NOW / 1000), Meters()
    given = settings(partitions=2, exclude_after="10m", batch=50)
    user = next(f"u{n}" for n in range(9) if partition_of(f"u{n}".encode(), 2) == 0)
    values = [event(n * DAY, f"order-{n}", "Bought", user=user) for n in range(7)]
    await log.append([NewRecord(0, None, value, NOW) for value in values])
    here = await PartitionAgent.open(log, 0, given, rules(), observers=(meters.committed,), clock=clock)

    async def pass_time(*agents: PartitionAgent) -> None:
        for _ in range(12):
            clock.now_s += 60.0
            for agent in agents:
                await agent.step()

    await pass_time(here)
    assert {1} == here.processor.tracker.excluded
    shown = meters.render().decode()
    assert 'streams_holding_partitions{partition="0"} 1.0' in shown
    assert "streams_settled_lag_seconds{" not in shown, "nothing is settled yet"
    assert START + 6 * DAY == here.processor.population.watermark_ms
    assert not [record async for _, record in log.scan("journeys")]
    other = await PartitionAgent.open(log, 1, given, rules(), clock=clock)
    await pass_time(here, other)
    shown = meters.render().decode()
    assert 'streams_holding_partitions{partition="0"} 0.0' in shown
    assert 'streams_settled_lag_seconds{partition="0"} 0.0' in shown
    assert 4 == len([record async for _, record in log.scan("journeys")])


async def test_an_idle_partition_that_is_away_holds_back_what_is_final() -> None:
    """It was idle when it went, so nobody waits for it; but its own watermark does not follow any more."""
    log, clock = MemoryLog(2), FixedClock(NOW / 1000)
    given = settings(partitions=2, exclude_after="10m", batch=50)
    user = next(f"u{n}" for n in range(9) if partition_of(f"u{n}".encode(), 2) == 0)
    here, other = [await PartitionAgent.open(log, n, given, rules(), clock=clock) for n in range(2)]

    async def pass_time(*agents: PartitionAgent) -> None:
        for _ in range(12):
            clock.now_s += 60.0
            for agent in agents:
                await agent.step()

    await log.append([NewRecord(0, None, event(0, "first", user=user), NOW)])
    await pass_time(here, other)
    assert START == here.processor.population.settled_mark_ms
    assert ([], set()) == (here.processor.tracker.holding, here.processor.tracker.excluded)
    await log.append([NewRecord(0, None, event(9 * DAY, "later", user=user), NOW)])
    await pass_time(here)
    assert START == here.processor.population.settled_mark_ms
    assert [1] == here.processor.tracker.holding
    await pass_time(here, other)
    assert START + 9 * DAY == here.processor.population.settled_mark_ms
    assert ([], set()) == (here.processor.tracker.holding, here.processor.tracker.excluded)


async def test_an_operator_lets_things_become_final_without_a_partition() -> None:
    """Not while the partition is only silent for a moment; then until it reports again. What was settled
    stays settled.
    """
    log, clock = MemoryLog(2), FixedClock(NOW / 1000)
    given = settings(partitions=2, exclude_after="10m", batch=50)
    user = next(f"u{n}" for n in range(9) if partition_of(f"u{n}".encode(), 2) == 0)
    here, other = [await PartitionAgent.open(log, n, given, rules(), clock=clock) for n in range(2)]

    async def pass_time(*agents: PartitionAgent) -> None:
        for _ in range(12):
            clock.now_s += 60.0
            for agent in agents:
                await agent.step()

    async def not_passed() -> list[int]:
        return await wait_for_pass(log, 1, Clock(), here.close, 0.0)

    await log.append([NewRecord(0, None, event(0, "first", "Bought", user=user), NOW)])
    await pass_time(here, other)
    await log.append([NewRecord(0, None, event(9 * DAY, "later", "Bought", user=user), NOW)])
    await here.step()
    await send_pass(log, 1)
    await here.step()
    assert [0] == await not_passed(), "it reported a moment ago"
    await pass_time(here)
    assert (START, [1]) == (here.processor.population.settled_mark_ms, here.processor.tracker.holding)
    await send_pass(log, 1)
    await here.step()
    assert [] == await not_passed()
    assert (START + 9 * DAY, []) == (
        here.processor.population.settled_mark_ms,
        here.processor.tracker.holding,
    )
    assert 1 == len([record async for _, record in log.scan("journeys")])
    here = await PartitionAgent.open(log, 0, given, rules(), clock=clock)
    await other.step()
    await here.step()
    assert [0] == await not_passed(), "it has reported"
    assert START + 9 * DAY == here.processor.population.settled_mark_ms
