"""A group of workers in one process and in virtual time: gives partitions out by the product's own plan, as a broker and its members would do.

A member that is *cut off* is what a process is that was stopped (SIGSTOP) or lost its network: it hears nothing, the others are told after a
session, and when it is back it learns that it was put out, a heartbeat later, and joins again.
"""

import asyncio

from streams.runtime.assignor import Claim, balance
from streams.runtime.membership import View
from tests.runtime.virtual import now_s

SESSION_S, HEARTBEAT_S = 6.0, 0.5
JOIN_S = 0.1  # that giving out takes


class Group:
    """All members, and who has what."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.members: dict[str, Member] = {}
        self._changes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, delay_s: float, what: str, member: "Member") -> None:
        task = asyncio.create_task(self._later(delay_s, what, member))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, delay_s: float, what: str, member: "Member") -> None:
        await asyncio.sleep(delay_s)
        if what == "in":
            self.members[member.name] = member
        elif what == "out" and (not member.reachable or member.gone):
            self.members.pop(member.name, None)
        else:
            return
        await self.give_out()

    async def give_out(self) -> None:
        """Members hear of it at a heartbeat, and when all are there again each gets its own."""
        self._changes += 1
        change = self._changes
        for member in self.members.values():
            member.taken_back()
        await asyncio.sleep(JOIN_S)
        if change != self._changes or not self.members:
            return  # the next change gives out
        plan = balance(self.partitions, {name: member.claim for name, member in self.members.items()})
        for name, member in self.members.items():
            member.given(plan.generation, plan.partitions[name], len(self.members))


class Member:
    """A worker's place in the group."""

    def __init__(self, group: Group, name: str, stays: bool = False) -> None:
        self.group, self.name, self.stays = group, name, stays
        self.view, self.claim = View(), Claim()
        self.changed = asyncio.Event()
        self.failure: Exception | None = None
        self.trouble: str | None = None
        self.reachable, self.gone = True, False
        self._heard_s = -1.0

    @property
    def joined(self) -> bool:
        return self.view.joined

    @property
    def partitions(self) -> frozenset[int]:
        return self.view.partitions

    @property
    def assigned_s(self) -> float:
        return self.view.assigned_s

    @property
    def heard_s(self) -> float:
        """The last whole heartbeat before now, while there is somebody who acknowledges it."""
        if self.reachable and self.view.joined and self.name in self.group.members:
            self._heard_s = now_s() // HEARTBEAT_S * HEARTBEAT_S
        return self._heard_s

    def show(self) -> None:
        """Nobody asks for signs of life here."""

    async def join(self) -> None:
        self.group.later(0, "in", self)

    async def leave(self) -> None:
        self.gone = True
        if not self.stays:
            self.group.later(0, "out", self)

    def cut_off(self) -> None:
        assert self.heard_s >= 0, "was in the group"
        self.reachable = False
        self.group.later(SESSION_S, "out", self)

    async def back(self) -> None:
        """The first heartbeat after that tells."""
        self.reachable = True
        if self.name not in self.group.members:
            await asyncio.sleep(HEARTBEAT_S)
            self.taken_back()
            self.group.later(0, "in", self)

    def taken_back(self) -> None:
        if self.reachable:
            self.view = self.view._replace(joined=False)
            self.changed.set()

    def given(self, generation: int, partitions: list[int], members: int) -> None:
        if self.reachable:
            self.view = View(True, frozenset(partitions), now_s(), members)
            self.claim = Claim(generation, tuple(partitions))
            self.changed.set()
