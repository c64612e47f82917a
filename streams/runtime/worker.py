"""A worker: has an agent running for each partition that the group gives it, from joining the group to leaving it.

    group  --what is wanted-->  worker  --opens, closes-->  keepers, one per partition  -->  agents

The group is heard in a thread of its own (`membership`); agents are tasks of one loop. Nothing here decides who may write: that does the broker, by
fencing. So a wrong belief about the group costs time and no more.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from streams.core.moments.rules import Rules
from streams.errors import ConfigError
from streams.log.kafka.log import KafkaLog
from streams.log.port import Log as Port
from streams.runtime import supervisor as keeper
from streams.runtime.growth import watch
from streams.runtime.membership import Membership, View
from streams.runtime.pace import stopping
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.supervisor import Common, Log, Meters, Restoring, Supervisor
from streams.settings.tables import Settings
from streams.topology import INBOX

TICK_S = 1.0  # between looks, when nothing is heard: also the sign of life for the group
SOON_S = 0.05  # between looks while stopping


class Place(Protocol):
    """A place in a group. `streams.runtime.membership.Membership` is one on Kafka."""

    changed: asyncio.Event  # set when there is something new to see

    @property
    def view(self) -> View: ...
    @property
    def joined(self) -> bool: ...
    @property
    def partitions(self) -> frozenset[int]: ...
    @property
    def assigned_s(self) -> float: ...
    @property
    def heard_s(self) -> float: ...
    @property
    def failure(self) -> Exception | None: ...
    @property
    def trouble(self) -> str | None: ...
    @property
    def stays(self) -> bool: ...
    def show(self) -> None: ...
    async def join(self) -> None: ...
    async def leave(self) -> None: ...


class Status(NamedTuple):
    """How a worker is doing, for health pages."""

    joined: bool
    assigned: frozenset[int]
    opened: frozenset[int]
    restoring: dict[int, tuple[int, int]]  # partition -> (records read, about how many there are)


class Worker:
    """Runs agents for the partitions that are given to it. Make one per process and `run` it once."""

    def __init__(
        self,
        log: Port,
        settings: Settings,
        rules: Rules,
        meters: Meters,
        logger: Log,
        place: Place | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`log` stays its owner's, who closes it. `place`: in another group than Kafka's; `clock`: the one that `place` goes by.

        Raises ConfigError when what is read does not go with the settings.
        """
        self._log = log
        self.place = place if place is not None else _place(log, settings)
        self._kafka, self._meters, self._logger, self._clock = settings.kafka, meters, logger, clock
        self._view = View()
        self._trouble: str | None = None
        self._keepers: dict[int, Supervisor] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

        async def open(partition: int, on_restore: Restoring) -> keeper.PartitionAgent:
            return await PartitionAgent.open(log, partition, settings, rules, on_restore)

        self.common = Common(
            open,
            self.place,
            self._kafka.commit_interval / 1000,
            settings.idle_after / 1000,
            settings.batch,
            meters,
            logger,
            clock,
        )

    def status(self) -> Status:
        """`joined`: and heard of within a session; while the group's broker is away nobody knows."""
        heard_s = max(self.place.assigned_s, self.place.heard_s)
        return Status(
            self.place.joined and self._clock() - heard_s < self._kafka.session_timeout / 1000,
            self._view.partitions,
            frozenset(number for number, keeper in self._keepers.items() if keeper.agent is not None),
            {
                number: keeper.restoring
                for number, keeper in self._keepers.items()
                if keeper.restoring is not None
            },
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; returns when everything is closed, within `kafka.grace`.

        Raises what it cannot go on after: a StreamsError that a person must see to, or a defect, after everything is closed.
        """
        await self.place.join()
        stopped = asyncio.create_task(stop.wait())
        watching = asyncio.create_task(
            watch(self._log) if isinstance(self._log, KafkaLog) else asyncio.sleep(0)
        )
        try:
            while not stop.is_set():
                self.place.show()
                self._follow()
                await self._something(stopped)
                if watching.done():
                    watching.result()
                self._raise()
        except BaseException as error:
            self._logger.error(
                "stopping",
                reason="cancelled"
                if isinstance(error, asyncio.CancelledError)
                else f"{type(error).__name__}: {error}",
            )
            await self._close(forwarded=False)
            raise
        finally:
            stopped.cancel()
            watching.cancel()
        self._logger.info("stopping", reason="asked to")
        await self._close(self._view.members > 1 and not self.place.stays)
        self._raise()

    def _follow(self) -> None:
        """Has a keeper for every partition that is given to us, and lets go of all others."""
        view = self.place.view
        if view.assigned_s != self._view.assigned_s and view.joined:
            if self._view.assigned_s < 0:
                self._logger.info("joined", members=view.members)
            new, lost = (
                sorted(view.partitions - self._view.partitions),
                sorted(self._view.partitions - view.partitions),
            )
            self._logger.info(
                "assigned", partitions=sorted(view.partitions), new=new, lost=lost, members=view.members
            )
            self._meters.assigned(view.partitions)
            self._view = view
        if (trouble := self.place.trouble) != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                self._logger.warning("waiting", reason=trouble)
        for number in sorted(self._view.partitions):
            if number not in self._tasks:
                self._keepers[number] = Supervisor(number, self.common)
                self._tasks[number] = asyncio.create_task(
                    self._keepers[number].run(), name=f"partition {number}"
                )
            self._keepers[number].want()
        until_s = self._clock() + self._kafka.session_timeout / 1000
        for number in self._keepers.keys() - self._view.partitions:
            self._release(number, until_s)

    def _release(self, number: int, until_s: float) -> None:
        """An agent that is not open yet would be opened for nothing: whoever has the partition now fences it."""
        one = self._keepers[number]
        if one.wanted and one.agent is None:
            self._tasks[number].cancel()
        one.release(until_s)

    async def _something(self, stopped: "asyncio.Task[bool]") -> None:
        """Waits until there may be something to do, and for the next sign of life at the latest."""
        changed = asyncio.create_task(self.place.changed.wait())
        try:
            await asyncio.wait(
                {stopped, changed, *self._tasks.values()}, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            changed.cancel()
        self.place.changed.clear()

    def _raise(self) -> None:
        """What ended by an error ends the worker; what ended by itself is taken off the list."""
        failure: BaseException | None = self.place.failure
        for number, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[number], self._keepers[number]
                if not task.cancelled():
                    failure = task.exception() or failure
        if failure is not None:
            raise failure

    async def _close(self, forwarded: bool) -> None:
        """Leaves the group first, so that the others take over at once; agents work on until then. Takes no longer than the grace time."""
        began_s = self._clock()
        times = stopping(self._kafka.grace / 1000, self._kafka.session_timeout / 1000, forwarded)
        for number in self._keepers:
            self._release(number, began_s + times.working)
        leaving = asyncio.create_task(self.place.leave())
        everything = {leaving, *self._tasks.values()}
        await self._ended(everything, began_s + times.closing)
        for task in everything:
            task.cancel()
        await self._ended(everything, began_s + times.ended)
        unfinished = sorted(number for number, task in self._tasks.items() if not task.done())
        if unfinished:
            self._logger.warning("left", reason="closing took too long", partitions=unfinished)
        else:
            self._logger.info("left")
        self._meters.assigned(frozenset())
        self._logger.info("stopped")

    async def _ended(self, tasks: "set[asyncio.Task[None]]", deadline_s: float) -> None:
        while (left_s := deadline_s - self._clock()) > 0 and not all(task.done() for task in tasks):
            self.place.show()
            with suppress(TimeoutError):
                await asyncio.wait(tasks, timeout=min(left_s, TICK_S))


def _place(log: Port, settings: Settings) -> Membership:
    assert isinstance(log, KafkaLog), "another log needs a group of its own kind"
    if settings.home == "input" and log.partitions > 1 and log.routed:
        counts = ", ".join(f"{name} has {log.inputs[name]}" for name in log.routed)
        raise ConfigError(
            f"home = input: a person lives where the input puts them, so that every input needs the app's {log.partitions} partitions, and {counts}."
            " A person would be in two places, with several journeys. Take a new app id, with topics of that number or home = murmur2, and replay"
        )
    topics = (*log.co_read, log.topic(INBOX.name))
    return Membership(log.cluster, log.app, topics, log.partitions, settings.kafka)
