"""What a worker knows of its group: the partitions that it was assigned, and whether it is still a member.

`KafkaMembership` is a membership of a group on brokers; tests have groups in their own process.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple


class Assignment(NamedTuple):
    """The partitions that the group assigned to this worker last."""

    joined: bool = False  # the assignment is in force: the group has not revoked it
    partitions: frozenset[int] = frozenset()  # stay when it is revoked: agents work on until others take over
    assigned_s: float = -1.0  # when it was made; -1: never
    members: int = 0  # of the group, at that time
    owners: Mapping[int, str] = {}  # partition -> where its worker can be asked for people, if it can be


class GroupMembership(ABC):
    """A worker's membership of a group, from `join` to `leave`. Times are seconds of the worker's clock."""

    def __init__(self, *, static: bool = False) -> None:
        """`static`: the group keeps the partitions of this member when it leaves, and expects it back."""
        self.static = static
        self.assignment = Assignment()
        self.failure: Exception | None = None  # the membership is over, and why
        self.trouble: str | None = None  # why the worker is not a member now, for the log
        self.changed = asyncio.Event()  # set when there is something new to see

    @property
    @abstractmethod
    def heartbeat_s(self) -> float:
        """When the last acknowledged heartbeat was sent; -1: none was."""

    @property
    def confirmed_s(self) -> float:
        """When the group confirmed the membership last, by an assignment or a heartbeat; -1: never."""
        return max(self.assignment.assigned_s, self.heartbeat_s)

    @abstractmethod
    async def join(self) -> None:
        """Begins to join and returns; the result is seen in `assignment` and `failure`."""

    @abstractmethod
    async def leave(self) -> None:
        """Leaves the group. May be called again."""

    @abstractmethod
    def show_alive(self) -> None:
        """Reports that the worker's loop turns: a worker whose loop hangs is taken out of the group."""
