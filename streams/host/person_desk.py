"""Answers what a worker holds of a person, from memory, as it is committed.

What another worker owns is asked of that one, once: a question that was forwarded is never forwarded again.
Nobody is said to be unknown unless the owner of the partition, restored and certain to be the owner, says so.
"""

import asyncio
from collections.abc import Iterable

import msgspec

from streams.core.processing.held_profile import held_profiles
from streams.core.processing.json_text import rfc3339
from streams.errors import Unavailable
from streams.queries.held_persons import (
    Ask,
    OwnerUnavailable,
    PersonAnswer,
    PersonQuestion,
    ask_owners,
    joined_answer,
)
from streams.queries.person import Person
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.worker import Worker

# Questions that wait at once: each takes a millisecond of the loop at most, and they are answered in one go.
MAX_WAITING = 32
WAITS_S = 1.5  # for the end of a batch; a worker that is behind has batches of half a second
FORWARDED_WAITS_S = 1.0  # sooner, so that the one who has forwarded it can say why there is no answer


class PersonDesk:
    """The questions about people that come to one worker."""

    def __init__(self, worker: Worker, address: str | None, ask: Ask, *, has_tenants: bool) -> None:
        """`address`: where this worker is asked, HOST:PORT. `ask`: how another one is."""
        self._worker, self._address, self._ask, self._has_tenants = worker, address, ask, has_tenants
        self._waiting = 0

    async def answer(self, question: PersonQuestion) -> PersonAnswer:
        """What this worker, and those to which it forwards, hold of a person. Raises OwnerUnavailable."""
        if self._waiting >= MAX_WAITING:
            raise OwnerUnavailable("too many questions wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(FORWARDED_WAITS_S if question.forwarded else WAITS_S):
                return await self._answer(question)
        except TimeoutError:
            raise OwnerUnavailable("the worker is too busy to answer in time") from None
        except Unavailable as error:
            raise OwnerUnavailable(str(error)) from error
        finally:
            self._waiting -= 1

    async def _answer(self, question: PersonQuestion) -> PersonAnswer:
        assignment, person = self._worker.membership.assignment, Person(question.key)
        ours = [number for number in question.partitions if number in assignment.partitions]
        others = tuple(number for number in question.partitions if number not in assignment.partitions)
        parts = [self._held(number, person.profiles) for number in ours]
        if others:
            parts.append(self._forward(msgspec.structs.replace(question, partitions=others)))
        return joined_answer(await asyncio.gather(*parts))

    async def _held(self, partition: int, profiles: Iterable[str]) -> PersonAnswer:
        agent = self._worker.owned_agent(partition)
        if agent is None:
            raise OwnerUnavailable(f"partition {partition} is being assigned or restored")
        has_tenants, names = self._has_tenants, frozenset(profiles)
        return await agent.between_batches.ask(
            lambda: look_up(agent, names, has_tenants=has_tenants), about=names
        )

    async def _forward(self, question: PersonQuestion) -> PersonAnswer:
        if question.forwarded:
            raise OwnerUnavailable("the partition has moved on to another worker")
        owners = self._worker.membership.assignment.owners
        if self._address in [owners.get(number) for number in question.partitions]:
            raise OwnerUnavailable(
                f"another worker can be asked at {self._address} too, as it says: set web.advertise"
            )
        return await ask_owners(msgspec.structs.replace(question, forwarded=True), owners, self._ask)


def look_up(agent: PartitionAgent, profiles: Iterable[str], *, has_tenants: bool) -> PersonAnswer:
    """What a partition holds of these profiles, and how far event time has come in it."""
    as_of_ms, rev = agent.reach
    held = held_profiles(agent.processor, profiles, rev, has_tenants=has_tenants)
    return PersonAnswer(rfc3339(as_of_ms) if as_of_ms >= 0 else None, held)
