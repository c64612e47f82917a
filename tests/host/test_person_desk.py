"""Any worker answers for anybody, and nobody is called unknown by a worker that may not know."""

import asyncio
from typing import cast

import pytest

from streams.core.ingest.partition import partition_of
from streams.host.person_desk import MAX_WAITING, PersonDesk
from streams.log.port import Session
from streams.queries.held_persons import OwnerUnavailable, PersonAnswer, PersonQuestion
from streams.records import NewRecord
from streams.runtime.group import Assignment
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.worker import Worker
from streams.settings.tables import Settings
from tests.queries.written import RULES, did, written
from tests.runtime.crew import PEOPLE, Crew
from tests.runtime.group import SESSION_S, LocalGroup, LocalMember
from tests.runtime.slow_session import SlowSession
from tests.runtime.virtual import now_s, virtual

NAMES = [f"u:{number}" for number in range(1, 25)]  # of all who come; 0 stands for nobody
ALL = len(NAMES)


class Desks:
    """The desks of a crew, which ask each other. An address is a worker's name."""

    def __init__(self, crew: Crew, *names: str) -> None:
        self.crew, self.forwarded = crew, list[PersonQuestion]()
        self.desks = {
            name: PersonDesk(crew.workers[name], name, self._forward, has_tenants=False) for name in names
        }

    async def _forward(self, address: str, question: PersonQuestion) -> PersonAnswer:
        self.forwarded.append(question)
        return await self.ask(address, question)

    async def ask(self, address: str, question: PersonQuestion) -> PersonAnswer:
        return await self.desks[address].answer(question)

    def question(self, name: str) -> PersonQuestion:
        return PersonQuestion(name, (partition_of(name[2:].encode(), self.crew.log.partitions),))

    async def answered(self, address: str) -> int:
        """How many of all people it answers for; of the others it says that nobody can be asked now."""
        count = 0
        for name in NAMES:
            try:
                found = await self.ask(address, self.question(name))
            except OwnerUnavailable:
                continue
            assert 1 == len(found.profiles), f"{address} does not know {name}"
            count += 1
        return count


@virtual
async def test_any_worker_answers_for_anybody() -> None:
    """One way further at most; a question that was forwarded is never forwarded again."""
    crew = Crew()
    crew.hire("a")
    crew.hire("b")
    await crew.open_everywhere("a", "b")
    await crew.send(2 * PEOPLE)
    await crew.caught_up()
    desks = Desks(crew, "a", "b")
    assert [ALL, ALL] == [await desks.answered(name) for name in "ab"]
    assert ALL == len(desks.forwarded)  # each is at home with one of them
    assert all(question.forwarded for question in desks.forwarded)
    for name in NAMES:
        asked = desks.question(name)
        assert await desks.ask("a", asked) == await desks.ask("b", asked)
    everywhere = PersonQuestion("u:1", tuple(range(crew.log.partitions)))
    # All is read before each partition has heard from all others how far they are.
    while (found := await desks.ask("a", everywhere)).as_of is None:
        await asyncio.sleep(0.05)
    assert 1 == len(found.profiles)
    assert [] == (await desks.ask("b", PersonQuestion("u:nobody", everywhere.partitions))).profiles
    (foreign,) = [
        asked
        for asked in (desks.question(name) for name in NAMES[:20])
        if asked.partitions[0] in crew.workers["b"].status().opened
    ][:1]
    with pytest.raises(OwnerUnavailable, match="moved on"):
        await desks.ask("a", PersonQuestion(foreign.key, foreign.partitions, forwarded=True))
    with pytest.raises(OwnerUnavailable, match="no worker is known"):
        await desks.ask("a", PersonQuestion("u:1", (99,)))
    for name in "ab":
        await crew.dismiss(name)


@virtual
async def test_nobody_is_unknown_while_partitions_move() -> None:
    """A worker joins, and another one drops out: an answer comes from the owner, or not at all."""
    crew = Crew()
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(2 * PEOPLE)
    await crew.caught_up()
    crew.hire("b")
    desks = Desks(crew, "a", "b")
    counts: list[int] = []

    async def ask_on() -> None:
        while True:
            for name in "ab":
                counts.append(await desks.answered(name))
            await asyncio.sleep(0.03)

    asking = asyncio.create_task(ask_on())
    await crew.open_everywhere("a", "b")
    await crew.until(lambda: counts[-2:] == [ALL, ALL])
    assert min(counts) < ALL
    crew.members["a"].cut_off()
    lost_s = now_s()
    await crew.until(lambda: len(crew.workers["b"].status().opened) == crew.log.partitions)
    assert now_s() - lost_s >= SESSION_S - 1
    await crew.until(lambda: ALL in counts[-2:])
    asking.cancel()
    # Whoever comes now is unknown to the one that dropped out, which does not say so.
    lost = crew.members["a"].assignment.partitions
    names = {name for name in NAMES if await _is_unavailable(desks, "a", name)}
    assert {name for name in NAMES if desks.question(name).partitions[0] in lost} == names != set()
    assert ALL == await desks.answered("b")
    await crew.members["a"].back()
    await crew.open_everywhere("a", "b")
    assert [ALL, ALL] == [await desks.answered(name) for name in "ab"]
    for name in "ab":
        await crew.dismiss(name)


@virtual
async def test_a_worker_that_is_cut_off_answers_nothing() -> None:
    """It may have been replaced, and learns of that only when it commits."""
    crew = Crew()
    crew.hire("a")
    await crew.open_everywhere("a")
    await crew.send(2 * PEOPLE)
    await crew.caught_up()
    desks = Desks(crew, "a")
    assert ALL == await desks.answered("a")
    crew.members["a"].cut_off()
    await asyncio.sleep(SESSION_S)
    assert crew.log.partitions == len(crew.workers["a"].status().opened)
    assert 0 == await desks.answered("a")
    await crew.members["a"].back()
    await crew.open_everywhere("a")
    assert ALL == await desks.answered("a")
    await crew.dismiss("a")


async def _is_unavailable(desks: Desks, address: str, name: str) -> bool:
    try:
        await desks.ask(address, desks.question(name))
    except OwnerUnavailable:
        return True
    return False


class OnlyWorker(Worker):
    """A worker that has one partition, whatever comes."""

    def __init__(self, agent: PartitionAgent, owners: dict[int, str]) -> None:
        self.agent = agent
        self.membership = LocalMember(LocalGroup(2), "a")
        self.membership.assignment = Assignment(True, frozenset({0}), 0.0, 1, owners)

    def owned_agent(self, partition: int) -> PartitionAgent | None:
        return self.agent if partition == 0 else None


async def only_desk(owners: dict[int, str]) -> tuple[PartitionAgent, PersonDesk]:
    log = await written([did("u:ann", "look", 0)], identity={"on": False})
    agent = await PartitionAgent.open(log, 0, Settings.model_validate({"identity": {"on": False}}), RULES)
    return agent, desk_of(agent, owners)


def desk_of(agent: PartitionAgent, owners: dict[int, str]) -> PersonDesk:
    """The desk of a worker that asks nobody."""

    async def ask(address: str, _: PersonQuestion) -> PersonAnswer:
        raise AssertionError(f"{address} is asked")

    return PersonDesk(OnlyWorker(agent, owners), "here:1", ask, has_tenants=False)


@virtual
async def test_a_worker_that_is_too_busy_says_so() -> None:
    """So many questions wait for the end of a batch and no more, and none for long."""
    agent, desk = await only_desk({})
    asked = PersonQuestion("ann", (0,))
    agent.between_batches.begin()
    waiting = [asyncio.create_task(desk.answer(asked)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0.1)
    with pytest.raises(OwnerUnavailable, match="too many"):
        await desk.answer(asked)
    agent.between_batches.end()
    assert ["u:ann"] * MAX_WAITING == [_name(found) for found in await asyncio.gather(*waiting)]
    agent.between_batches.begin()
    with pytest.raises(OwnerUnavailable, match="too busy"):
        await desk.answer(asked)


async def test_an_answer_says_how_far_the_log_has_come_and_not_the_memory() -> None:
    """While the batch after it is being committed, of which nothing may be left."""
    log, asked = await written([did("u:ann", "look", 0)]), PersonQuestion("u:ann", (0,))
    session = SlowSession(await log.open(0))
    agent = await PartitionAgent.restored(cast(Session, session), 1, Settings(), RULES)
    desk = desk_of(agent, {})
    before = await desk.answer(asked)
    await log.append([NewRecord(0, None, did("u:ben", "look", 60), 2_000_000_000_000)])
    stepping = asyncio.create_task(agent.step())
    await session.committing.wait()
    assert agent.processor.checkpoint.rev > agent.reach.rev
    assert before == await desk.answer(asked)
    session.may_commit.set()
    await stepping
    after = await desk.answer(asked)
    assert (before.as_of or "") < (after.as_of or "")


def _name(answer: PersonAnswer) -> str:
    (held,) = answer.profiles
    return bytes(held.current).decode().partition('"profile":"')[2].partition('"')[0]


@virtual
async def test_two_workers_at_one_address_are_named() -> None:
    """The setting to change is in the text."""
    _, desk = await only_desk({1: "here:1"})
    with pytest.raises(OwnerUnavailable, match=r"set web\.advertise"):
        await desk.answer(PersonQuestion("ann", (0, 1)))
