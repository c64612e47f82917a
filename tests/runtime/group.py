"""A group of workers in one process and in virtual time: it assigns partitions by the product's
own rule, as a broker and its members do.

A member that is *cut off* is like a process that was stopped (SIGSTOP) or lost its network: it
receives nothing, the others learn of it after a session, and when it is back it learns a heartbeat
later that it was put out, and joins again. The address of a member is its name.
"""

import asyncio

from streams.runtime.assignor import Claim, balance, owners_of
from streams.runtime.group import Assignment, GroupMembership
from tests.runtime.virtual import now_s

SESSION_S, HEARTBEAT_S = 6.0, 0.5
JOIN_S = 0.1  # that an assignment takes


class LocalGroup:
    """All members, and who has what."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.members: dict[str, LocalMember] = {}
        self._changes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, delay_s: float, what: str, member: "LocalMember") -> None:
        task = asyncio.create_task(self._later(delay_s, what, member))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, delay_s: float, what: str, member: "LocalMember") -> None:
        await asyncio.sleep(delay_s)
        if what == "in":
            self.members[member.name] = member
        elif what == "out" and (not member.reachable or member.gone):
            self.members.pop(member.name, None)
        else:
            return
        await self.rebalance()

    async def rebalance(self) -> None:
        """Members learn of it at a heartbeat, and when all are there again each gets its partitions."""
        self._changes += 1
        change = self._changes
        for member in self.members.values():
            member.revoke()
        await asyncio.sleep(JOIN_S)
        if change != self._changes or not self.members:
            return  # the next change assigns them
        shares = balance(self.partitions, {name: member.claim for name, member in self.members.items()})
        owners = owners_of((name, shares.partitions[name]) for name in self.members)
        for name, member in self.members.items():
            member.assign(shares.generation, shares.partitions[name], len(self.members), owners)


class LocalMember(GroupMembership):
    """A member of the group in this process."""

    def __init__(self, group: LocalGroup, name: str, static: bool = False) -> None:
        super().__init__(static=static)
        self.group, self.name = group, name
        self.claim = Claim()
        self.reachable, self.gone = True, False
        self._heartbeat_s = -1.0

    @property
    def heartbeat_s(self) -> float:
        """The last whole heartbeat before now, while the group acknowledges it."""
        if self.reachable and self.assignment.joined and self.name in self.group.members:
            self._heartbeat_s = now_s() // HEARTBEAT_S * HEARTBEAT_S
        return self._heartbeat_s

    def show_alive(self) -> None:
        """This group asks for no signs of life."""

    async def join(self) -> None:
        self.group.later(0, "in", self)

    async def leave(self) -> None:
        self.gone = True
        if not self.static:
            self.group.later(0, "out", self)

    def cut_off(self) -> None:
        assert self.heartbeat_s >= 0, "it is in the group"
        self.reachable = False
        self.group.later(SESSION_S, "out", self)

    async def back(self) -> None:
        """It learns at its first heartbeat that it was put out."""
        self.reachable = True
        if self.name not in self.group.members:
            await asyncio.sleep(HEARTBEAT_S)
            self.revoke()
            self.group.later(0, "in", self)

    def revoke(self) -> None:
        if self.reachable:
            self.assignment = self.assignment._replace(joined=False)
            self.changed.set()

    def assign(self, generation: int, partitions: list[int], members: int, owners: dict[int, str]) -> None:
        if self.reachable:
            self.assignment = Assignment(True, frozenset(partitions), now_s(), members, owners)
            self.claim = Claim(generation, tuple(partitions))
            self.changed.set()
