"""A worker's life in virtual time, with real agents over the memory log and a group in this process."""

import asyncio
from collections import Counter
from itertools import pairwise

from streams.log.port import Restoring
from streams.runtime.pace import CHECKPOINT_EVERY_S, IDLE_POLL_S
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.supervisor import RESTORES
from streams.settings.tables import Settings
from tests.core.processing.feeding import rules
from tests.runtime.crew import SETTINGS, Crew
from tests.runtime.group import SESSION_S
from tests.runtime.virtual import SLACK_S, now_s, virtual


@virtual
async def test_two_workers_share_the_partitions() -> None:
    """A partition that the first worker keeps is not opened anew when the second one joins."""
    crew = Crew()
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(500)
    crew.hire("b")
    await crew.open_everywhere("a", "b")
    await crew.send(500)
    await crew.caught_up()
    assert [2, 2] == [len(crew.workers[name].status().opened) for name in "ab"]
    assert 4 + 2 == len(crew.logged("opened"))
    for name in "ab":
        await crew.dismiss(name)
    await crew.exact()


@virtual
async def test_one_worker_writes_the_funnel() -> None:
    """The one that has partition 0, as long as it has it; another one follows."""
    crew = Crew()
    crew.hire("a")
    crew.hire("b")
    await crew.open_everywhere("a", "b")
    (writer,) = [name for name in "ab" if 0 in crew.workers[name].status().opened]
    (other,) = {*"ab"} - {writer}
    await crew.until(lambda: crew.funnel_writers == [writer])
    await crew.dismiss(writer)
    await crew.until(lambda: crew.funnel_writers == [other])
    await crew.dismiss(other)
    assert [] == crew.funnel_writers


@virtual
async def test_a_funnel_that_cannot_be_written_harms_no_agent() -> None:
    """Its writer is started again and again, and the partitions are worked on."""
    crew = Crew()
    crew.funnel_fails = True
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(200)
    await crew.caught_up()
    await crew.until(lambda: crew.funnel_ends > 2)
    assert crew.logged("funnel_failed")
    assert 4 == len(crew.logged("opened"))
    await crew.dismiss("a")
    await crew.exact()


@virtual
async def test_the_others_take_over_before_a_worker_has_stopped() -> None:
    """It works on until they have, so no partition is without an agent, and ends within a few heartbeats."""
    crew = Crew()
    crew.hire("a")
    crew.hire("b")
    await crew.open_everywhere("a", "b")
    await crew.send(300)
    began_s = now_s()
    crew.ask_to_stop("a")
    await crew.ended("a")
    assert now_s() - began_s < SLACK_S
    assert {"taken over"} == {line.about["reason"] for line in crew.logged("closed", "a")}
    assert not crew.figures["a"].open
    assert not crew.figures["a"].deaths
    await crew.caught_up()
    await crew.dismiss("b")
    await crew.exact()


@virtual
async def test_the_last_worker_waits_for_nobody() -> None:
    """It finishes the batch that it is in."""
    crew = Crew()
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(900)
    await asyncio.sleep(0.1)
    assert 0 < await crew.behind()
    began_s = now_s()
    await crew.dismiss("a")
    assert now_s() - began_s < SLACK_S
    assert ["stopping", *["closed"] * 4, "left", "stopped"] == [line.event for line in crew.lines[-7:]]
    await crew.exact(so_far=True)


@virtual
async def test_a_static_member_does_not_work_on_while_it_stops() -> None:
    """The group keeps its partitions for it for a session, so no other worker would take them over."""
    crew = Crew()
    crew.hire("a", static=True)
    crew.hire("b", static=True)
    await crew.open_everywhere("a", "b")
    began_s = now_s()
    await crew.dismiss("a")
    assert now_s() - began_s < SLACK_S
    assert {"given back"} == {line.about["reason"] for line in crew.logged("closed", "a")}


@virtual
async def test_a_worker_that_was_cut_off_does_not_fight_for_its_partitions() -> None:
    """The others take over after a session.

    Its agents are fenced, each once, and it opens none before the group has assigned it a partition again.
    """
    crew = Crew()
    crew.hire("zombie")
    crew.hire("b")
    await crew.open_everywhere("zombie", "b")
    had = crew.workers["zombie"].status().assigned
    await crew.send(200)
    crew.members["zombie"].cut_off()
    await crew.open_everywhere("b")  # b has all, also by its own account
    taken_s = now_s()
    await crew.send(200)
    await asyncio.sleep(60)
    assert Counter(fenced=len(had)) == crew.figures["zombie"].deaths
    assert not crew.workers["zombie"].status().joined
    assert not [line for line in crew.logged("opening", "zombie") if line.at_s > taken_s]
    assert not crew.figures["b"].deaths
    await crew.members["zombie"].back()
    await crew.open_everywhere("zombie", "b")
    await crew.send(200)
    await crew.caught_up()
    assert not crew.figures["b"].deaths
    for name in ("b", "zombie"):
        await crew.dismiss(name)
    await crew.exact()


@virtual
async def test_an_agent_whose_partition_comes_back_goes_on() -> None:
    """The partition was assigned to a worker that never opened it, so nothing has happened to it."""
    crew = Crew(2)
    crew.hire("a")
    await crew.open_everywhere("a")
    crew.group.members["newcomer"] = newcomer = type(crew.members["a"])(crew.group, "newcomer")
    await crew.group.rebalance()
    await asyncio.sleep(1)
    assert len(crew.workers["a"].status().assigned) == 1
    await newcomer.leave()
    await crew.send(100)
    await crew.open_everywhere("a")
    await crew.caught_up()
    assert 2 == len(crew.logged("opened"))
    assert not crew.logged("closed")
    await crew.dismiss("a")


@virtual
async def test_an_agent_without_a_new_owner_does_not_work_for_ever() -> None:
    """After a session it gives its partition back, although no other worker has opened it."""
    crew = Crew(2)
    crew.hire("a")
    await crew.open_everywhere("a")
    crew.group.members["newcomer"] = type(crew.members["a"])(crew.group, "newcomer")
    await crew.group.rebalance()
    await asyncio.sleep(SESSION_S + SLACK_S)
    assert ["given back"] == [line.about["reason"] for line in crew.logged("closed")]
    await crew.dismiss("a")


@virtual
async def test_commits_of_a_partition_keep_their_distance() -> None:
    """Under load, at least the shortest interval lies between two commits; the first
    record after an idle time waits for nothing.
    """
    crew = Crew(1)
    crew.hire("a")
    await crew.open_everywhere("a")
    for _ in range(200):
        await crew.send(3)
        await asyncio.sleep(0.003)
    steps = [at_s for at_s, step in crew.figures["a"].steps if step.records and step.written]
    interval_s = SETTINGS.kafka.commit_interval / 1000
    assert all(later_s - sooner_s >= interval_s - 1e-9 for sooner_s, later_s in pairwise(steps))
    assert 0.6 / interval_s / 2 < len(steps)
    await asyncio.sleep(3)
    sent_s = now_s()
    await crew.send(1)
    await crew.caught_up()
    first_s = next(at_s for at_s, step in crew.figures["a"].steps if at_s >= sent_s and step.records)
    # This log answers at once that there is nothing; a broker waits for the record.
    assert first_s - sent_s <= IDLE_POLL_S
    await crew.dismiss("a")


@virtual
async def test_an_idle_agent_commits_every_few_seconds() -> None:
    """It commits no more often than that, and it pauses between reads that find nothing."""
    crew = Crew(1)
    crew.hire("a")
    await crew.open_everywhere("a")
    await asyncio.sleep(600)
    steps = crew.figures["a"].steps
    commits = sum(step.written for _, step in steps)
    assert 600 / CHECKPOINT_EVERY_S * 0.9 < commits < 600 / CHECKPOINT_EVERY_S * 1.1 + 2
    assert len(steps) < 600 * 25
    await crew.dismiss("a")


@virtual
async def test_on_an_idle_partition_the_wall_clock_moves_timers() -> None:
    """A journey stalls although no event comes. Before the partition is idle, only events move the time."""
    crew = Crew(1, Settings.model_validate({"patience": {"know": "30s"}, "idle_after": "60s"}))
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(50)
    await asyncio.sleep(50)
    assert 0 == await transitions(crew, b'"stalled"')
    await asyncio.sleep(10 + CHECKPOINT_EVERY_S + SLACK_S)
    assert 0 < await transitions(crew, b'"stalled"')
    await crew.dismiss("a")
    await crew.exact()


async def transitions(crew: Crew, text: bytes) -> int:
    return len([1 async for _, record in crew.log.scan("transitions") if text in (record.value or b"")])


@virtual
async def test_only_a_few_are_restored_at_once() -> None:
    """They are restored in the order of the partitions, so none waits for ever."""
    crew = Crew(8)
    worker = crew.hire("a")
    under_way: list[int] = []
    most = 0

    async def slow(partition: int, on_restore: Restoring) -> PartitionAgent:
        nonlocal most
        under_way.append(partition)
        most = max(most, len(under_way))
        await asyncio.sleep(3)
        under_way.remove(partition)
        return await PartitionAgent.open(crew.log, partition, SETTINGS, rules(), on_restore)

    worker.context.open = slow
    await crew.open_everywhere("a")
    assert RESTORES == most
    assert list(range(8)) == [line.about["partition"] for line in crew.logged("opening")]
    await crew.dismiss("a")


@virtual
async def test_a_restore_that_is_not_needed_any_more_is_cancelled() -> None:
    """That is so when the partition was assigned to another worker meanwhile, and when the worker stops."""
    crew = Crew(2)
    worker = crew.hire("a")

    async def slow(partition: int, on_restore: Restoring) -> PartitionAgent:
        await asyncio.sleep(600)
        raise AssertionError("was to be ended")

    worker.context.open = slow
    await asyncio.sleep(1)
    crew.group.members["newcomer"] = type(crew.members["a"])(crew.group, "newcomer")
    await crew.group.rebalance()
    await asyncio.sleep(1)
    assert [1] == [line.about["partition"] for line in crew.logged("closed")]
    began_s = now_s()
    await crew.dismiss("a")
    assert now_s() - began_s < SLACK_S
    assert [1, 0] == [line.about["partition"] for line in crew.logged("closed")]
