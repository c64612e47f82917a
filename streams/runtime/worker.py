"""Runs an agent for each partition that the group assigns to this process, until the process leaves the
group.

    group  --assignment-->  worker  --opens, closes-->  supervisors, one per partition  -->  agents

The membership of the group lives in a thread of its own (`membership`); supervisors are tasks of one loop.
Nothing here decides who may write: the broker does, by fencing. So a wrong belief about the group costs time
and nothing else.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from structlog.typing import FilteringBoundLogger

from streams.clock import Clock
from streams.core.moments.rules import Rules
from streams.core.processing.committed import Observer
from streams.log.kafka.log import KafkaLog
from streams.log.port import Log, Restoring
from streams.runtime import growth
from streams.runtime.agreement import Agreement
from streams.runtime.funnel import WRITER_PARTITION, keep_funnel
from streams.runtime.group import Assignment, GroupMembership
from streams.runtime.membership import KafkaMembership
from streams.runtime.pace import stop_times
from streams.runtime.partition_agent import PartitionAgent
from streams.runtime.status import WorkerStatus
from streams.runtime.supervisor import Supervisor, SupervisorContext
from streams.settings.tables import Settings
from streams.telemetry.defects import defect_observer
from streams.telemetry.meters import Meters
from streams.topology import INBOX

_LOOK_S = 1.0  # between looks when the group reports nothing; each look also shows that the loop turns


class Worker:
    """Runs agents for the partitions that are assigned to it. Make one per process and `run` it once."""

    def __init__(
        self,
        log: Log,
        settings: Settings,
        rules: Rules,
        *,
        membership: GroupMembership,
        meters: Meters,
        logger: FilteringBoundLogger,
        clock: Clock,
        observers: Sequence[Observer] = (),
        draw: Callable[[], float] = random.random,
        settle: Callable[[], Awaitable[None]] | None = None,
        watch: Callable[[], Awaitable[None]] | None = None,
        keep_funnel: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`clock`: the one that `membership` has. `observers`: called after each step of a partition, after
        the meters. `draw`: for the random part of delays. `settle`: runs before the worker joins, and keeps
        it from joining by raising. `watch`: runs beside the worker, and ends it by raising. `keep_funnel`:
        runs while the worker has the partition whose holder writes the funnel. The log belongs to the caller,
        who closes it.
        """
        self.membership = membership
        self._kafka, self._meters, self._logger, self._clock = settings.kafka, meters, logger, clock
        self._settle, self._watch, self._keep_funnel = settle, watch, keep_funnel
        self._funnel: asyncio.Task[None] | None = None
        self._assignment = Assignment()
        self._trouble: str | None = None
        self._supervisors: dict[int, Supervisor] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

        log_defects = defect_observer(logger)

        async def open(partition: int, on_restore: Restoring) -> PartitionAgent:
            return await PartitionAgent.open(
                log,
                partition,
                settings,
                rules,
                on_restore,
                observers=(meters.committed, log_defects, *observers),
                clock=clock,
            )

        self.context = SupervisorContext(
            open=open,
            group=membership,
            settings=settings,
            meters=meters,
            logger=logger,
            clock=clock,
            draw=draw,
        )

    @classmethod
    def on_kafka(
        cls,
        log: KafkaLog,
        settings: Settings,
        rules: Rules,
        *,
        meters: Meters,
        logger: FilteringBoundLogger,
        observers: Sequence[Observer] = (),
        address: str | None = None,
    ) -> "Worker":
        """A member of the app's consumer group. `address`: where it can be asked for people, HOST:PORT; None:
        nowhere.
        """
        clock, topics = Clock(), (*log.topics.co_partitioned, log.topic(INBOX.name))
        agreement = Agreement(log, settings, rules.version, meters=meters, logger=logger, clock=clock)

        async def watch() -> None:
            watches = [
                asyncio.ensure_future(growth.watch(log)),
                asyncio.ensure_future(agreement.watch(lambda: 0 in worker.status().opened)),
            ]
            try:
                await asyncio.gather(*watches)
            finally:
                for one in watches:
                    one.cancel()

        membership = KafkaMembership(
            log.cluster, log.app, topics, log.partitions, settings.kafka, clock, address=address
        )
        worker = cls(
            log,
            settings,
            rules,
            membership=membership,
            meters=meters,
            logger=logger,
            clock=clock,
            observers=observers,
            settle=agreement.settle,
            watch=watch,
            keep_funnel=lambda: keep_funnel(log, meters, logger, clock, worker.is_behind),
        )
        return worker

    def status(self) -> WorkerStatus:
        """What the worker does now. It is `joined` while the group confirms that once per session."""
        supervisors = self._supervisors.items()
        return WorkerStatus(
            joined=self._is_joined(),
            assigned=self._assignment.partitions,
            opened=frozenset(number for number, one in supervisors if one.agent is not None),
            restoring={number: one.restoring for number, one in supervisors if one.restoring is not None},
            blocked={
                source: since
                for _, one in supervisors
                if one.watch is not None
                for source, since in one.watch.blocked.items()
            },
        )

    def _is_joined(self) -> bool:
        silent_s = self._clock.monotonic_s() - self.membership.confirmed_s
        return self.membership.assignment.joined and silent_s < self._kafka.session_timeout / 1000

    def owned_agent(self, partition: int) -> PartitionAgent | None:
        """The open agent of a partition that is certainly this worker's; None: there is none now."""
        is_ours = self._is_joined() and partition in self.membership.assignment.partitions
        supervisor = self._supervisors.get(partition)
        return supervisor.agent if is_ours and supervisor is not None else None

    def is_behind(self) -> bool:
        """True if some agent has more to read now."""
        agents = [one.agent for one in self._supervisors.values()]
        return any(agent is not None and agent.is_behind() for agent in agents)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set; returns when everything is closed, within `kafka.grace`.

        An error after which it cannot go on is raised when everything is closed: a StreamsError that a person
        must see to, or a defect.
        """
        stopped = asyncio.create_task(stop.wait())
        try:
            if not await self._settled(stopped):
                return
            await self.membership.join()
        except BaseException:
            stopped.cancel()
            raise
        watching = None if self._watch is None else asyncio.ensure_future(self._watch())
        try:
            while not stop.is_set():
                self.membership.show_alive()
                self._follow_assignment()
                await self._until_something_happens(stopped)
                if watching is not None and watching.done():
                    watching.result()
                self._remove_ended()
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            reason = "cancelled" if cancelled else f"{type(error).__name__}: {error}"
            self._logger.error("stopping", reason=reason)
            await self._close(others_take_over=False)
            raise
        finally:
            stopped.cancel()
            if watching is not None:
                watching.cancel()
        self._logger.info("stopping", reason="asked to")
        await self._close(self._assignment.members > 1 and not self.membership.static)
        self._remove_ended()

    async def _settled(self, stopped: "asyncio.Task[bool]") -> bool:
        """True when the worker may join; False if it was asked to stop before. Raises what keeps it from
        joining.
        """
        if self._settle is None:
            return True
        settling = asyncio.ensure_future(self._settle())
        try:
            await asyncio.wait({settling, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if settling.done():
                settling.result()
            return settling.done()
        finally:
            settling.cancel()

    def _follow_assignment(self) -> None:
        """Sees that each assigned partition has a supervisor, and that all other partitions are released."""
        assignment = self.membership.assignment
        if assignment.joined and assignment.assigned_s != self._assignment.assigned_s:
            self._log_assignment(assignment)
            self._meters.assigned(assignment.partitions)
            self._assignment = assignment
        if (trouble := self.membership.trouble) != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                self._logger.warning("waiting", reason=trouble)
        for number in sorted(self._assignment.partitions):
            if number not in self._tasks:
                supervisor = self._supervisors[number] = Supervisor(number, self.context)
                self._tasks[number] = asyncio.create_task(supervisor.run(), name=f"partition {number}")
            self._supervisors[number].want()
        self._follow_funnel(WRITER_PARTITION in self._assignment.partitions)
        until_s = self._clock.monotonic_s() + self._kafka.session_timeout / 1000
        for number in self._supervisors.keys() - self._assignment.partitions:
            self._release(number, until_s)

    def _follow_funnel(self, is_ours: bool) -> None:
        """Sees that the funnel is written here while its partition is ours, and no longer."""
        if not is_ours and self._funnel is not None:
            self._funnel.cancel()
        if self._funnel is not None and self._funnel.done():
            if not self._funnel.cancelled() and (error := self._funnel.exception()) is not None:
                self._logger.error("funnel_failed", reason=repr(error))
            self._funnel = None
        if is_ours and self._funnel is None and self._keep_funnel is not None:
            self._funnel = asyncio.create_task(self._keep_funnel(), name="funnel")

    def _log_assignment(self, assignment: Assignment) -> None:
        if self._assignment.assigned_s < 0:
            self._logger.info("joined", members=assignment.members)
        now, before = assignment.partitions, self._assignment.partitions
        self._logger.info(
            "assigned",
            partitions=sorted(now),
            new=sorted(now - before),
            lost=sorted(before - now),
            members=assignment.members,
        )

    def _release(self, number: int, until_s: float) -> None:
        """Releases a partition at `until_s`. An agent that is not open yet is not opened any more."""
        supervisor = self._supervisors[number]
        if supervisor.wanted and supervisor.agent is None:
            self._tasks[number].cancel()
        supervisor.release(until_s)

    async def _until_something_happens(self, stopped: "asyncio.Task[bool]") -> None:
        """Returns when there may be something to do, and when the worker has to show that it is alive."""
        changed = asyncio.create_task(self.membership.changed.wait())
        tasks = {stopped, changed, *self._tasks.values()}
        try:
            await asyncio.wait(tasks, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        self.membership.changed.clear()

    def _remove_ended(self) -> None:
        """Removes supervisors that have ended. Raises what one of them, or the membership, ended by."""
        failure: BaseException | None = self.membership.failure
        for number, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[number], self._supervisors[number]
                if not task.cancelled():
                    failure = task.exception() or failure
        if failure is not None:
            raise failure

    async def _close(self, others_take_over: bool) -> None:
        """Leaves the group, and closes all agents within the grace time.

        The group comes first, so that the others take over at once. Agents work on until they do.
        """
        began_s = self._clock.monotonic_s()
        times = stop_times(
            grace_s=self._kafka.grace / 1000,
            session_s=self._kafka.session_timeout / 1000,
            others_take_over=others_take_over,
        )
        for number in self._supervisors:
            self._release(number, began_s + times.working_s)
        leaving = asyncio.create_task(self.membership.leave())
        self._follow_funnel(is_ours=False)
        funnel = () if self._funnel is None else (self._funnel,)
        tasks: Collection[asyncio.Task[None]] = {leaving, *self._tasks.values(), *funnel}
        await self._until_ended(tasks, began_s + times.closing_s)
        for task in tasks:
            task.cancel()
        await self._until_ended(tasks, began_s + times.ended_s)
        unfinished = sorted(number for number, task in self._tasks.items() if not task.done())
        if unfinished:
            self._logger.warning("left", reason="closing took too long", partitions=unfinished)
        else:
            self._logger.info("left")
        self._meters.assigned(frozenset())
        self._logger.info("stopped")

    async def _until_ended(self, tasks: Collection[asyncio.Task[None]], deadline_s: float) -> None:
        """Waits until the tasks have ended, but not beyond the deadline."""
        while (left_s := deadline_s - self._clock.monotonic_s()) > 0 and not all(t.done() for t in tasks):
            self.membership.show_alive()
            with suppress(TimeoutError):
                await asyncio.wait(tasks, timeout=min(left_s, _LOOK_S))
