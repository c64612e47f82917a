"""Questions to workers about a person: what is asked and answered, and who is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from streams.core.processing.held_profile import HeldProfile

PERSONS_PATH = "/profiles"  # of a worker's web server; the question is posted, so no log of addresses has it


class PersonQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a worker."""

    key: str  # whom the question is about, as a `Person` is named
    partitions: tuple[int, ...]  # in which the person is looked for
    forwarded: bool = False  # by another worker: it is not forwarded again


class PersonAnswer(msgspec.Struct, frozen=True):
    """What the owners of these partitions hold, all of it committed."""

    as_of: str | None  # how far event time has come in all of them that have read something
    profiles: list[HeldProfile]  # empty: nobody of that name is held


class OwnerUnavailable(Exception):
    """An owner cannot answer now, or nobody knows who it is. The text says why, and names no person."""


Ask = Callable[[str, PersonQuestion], Awaitable[PersonAnswer]]
"""Asks the worker at an address, HOST:PORT. Raises OwnerUnavailable."""


async def ask_owners(question: PersonQuestion, owners: Mapping[int, str], ask: Ask) -> PersonAnswer:
    """Asks each owner for its own partitions. `owners`: partition -> address. Raises OwnerUnavailable."""
    asked: dict[str, list[int]] = {}
    for partition in question.partitions:
        if partition not in owners:
            raise OwnerUnavailable(
                f"no worker is known that can be asked about partition {partition}: it is being assigned, or "
                "its worker shows no people (web.host, web.token)"
            )
        asked.setdefault(owners[partition], []).append(partition)
    parts = [
        ask(address, msgspec.structs.replace(question, partitions=tuple(partitions)))
        for address, partitions in asked.items()
    ]
    return joined_answer(await asyncio.gather(*parts))


def joined_answer(parts: Iterable[PersonAnswer]) -> PersonAnswer:
    """The answers about different partitions as one."""
    answers = list(parts)
    known = [answer.as_of for answer in answers if answer.as_of is not None]
    return PersonAnswer(min(known, default=None), [held for answer in answers for held in answer.profiles])
