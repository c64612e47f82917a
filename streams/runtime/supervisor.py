"""Runs one partition of a worker: opens an agent when the group assigns the partition here, steps it, and
opens another one when it dies.

An agent whose partition is assigned to another worker works on until the new owner fences it, though not for
ever. So nobody waits while the new owner restores, and an agent whose partition comes back was never away.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from structlog.typing import FilteringBoundLogger

from streams.backoff import Backoff
from streams.clock import Clock
from streams.errors import ConfigError, Fenced, Incompatible, Refused, StreamsError
from streams.log.port import Restoring
from streams.runtime import collector
from streams.runtime.group import GroupMembership
from streams.runtime.open_transaction_watch import OpenTransactionWatch
from streams.runtime.pace import (
    ACTIVE_S,
    CHECKPOINT_EVERY_S,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    commit_interval_s,
    fold_budget_s,
    may_open,
    rest_s,
)
from streams.runtime.partition_agent import PartitionAgent
from streams.settings.tables import Settings
from streams.telemetry.meters import Death, Meters

# Restores at the same time. Each holds its state twice for a while, and more than two wait for each other.
RESTORES = 2
_LOOK_S = 0.02  # between looks at whether an agent may be opened
_RESTORE_LOGGED_EVERY_S = 5.0  # lines about one restore
# An agent whose partition is assigned elsewhere commits this often although it has nothing to write: so it
# notices that it was fenced.
_NOTICE_EVERY_S = 0.5

Open = Callable[[int, Restoring], Awaitable[PartitionAgent]]


class SupervisorContext:
    """What all supervisors of a worker share."""

    def __init__(
        self,
        *,
        open: Open,
        group: GroupMembership,
        settings: Settings,
        meters: Meters,
        logger: FilteringBoundLogger,
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.open, self.group, self.settings = open, group, settings
        self.meters, self.logger, self.clock, self.draw = meters, logger, clock, draw
        self.restores = asyncio.Semaphore(RESTORES)  # first come, first served
        self.open_agents = 0
        self.busy_s: dict[int, float] = {}  # partition -> when it committed records last

    def interval_s(self, now_s: float) -> float:
        """The shortest time between two commits of a partition, as of now."""
        busy = sum([now_s - at_s < ACTIVE_S for at_s in self.busy_s.values()])
        return commit_interval_s(self.settings.kafka.commit_interval / 1000, busy)


class Supervisor:
    """Runs one partition of a worker.

    `run` is its task. It returns when the partition is wanted no more, and raises what must end the worker.
    """

    def __init__(self, partition: int, context: SupervisorContext) -> None:
        self.partition, self._context = partition, context
        self.agent: PartitionAgent | None = None
        self.restoring: tuple[int, int] | None = None  # state records read, and about how many there are
        self.watch: OpenTransactionWatch | None = None  # of the open agent
        self._opening_logged = False  # "opening" was logged, and no "closed" or "died" after it
        self._release_s: float | None = None  # an agent that is wanted elsewhere works until then
        self._restore_logged_s = 0.0
        self._backoff = Backoff(first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S, draw=context.draw)

    @property
    def wanted(self) -> bool:
        return self._release_s is None

    def want(self) -> None:
        """The partition belongs here (again)."""
        self._release_s = None

    def release(self, until_s: float) -> None:
        """The partition belongs elsewhere. The earliest time given counts."""
        self._release_s = until_s if self._release_s is None else min(self._release_s, until_s)

    async def run(self) -> None:
        """Raises what trying again cannot help (Incompatible, ConfigError, Refused), and defects."""
        died_s: float | None = None
        while True:
            try:
                await self._live(died_s)
                return
            except (Incompatible, ConfigError, Refused) as error:
                self._context.meters.closed(self.partition)
                self._context.logger.error(
                    "died", partition=self.partition, reason="refused", error=str(error)
                )
                raise
            except asyncio.CancelledError:
                self._closed("dropped")
                raise
            except Exception as error:
                if not isinstance(error, StreamsError) and not raised_by_client(error):
                    self._died(Death.DEFECT, error, exc_info=True)
                    raise
                fenced = isinstance(error, Fenced)
                if not self.wanted:
                    self._closed("taken over" if fenced else f"{type(error).__name__}: {error}")
                    return
                died_s = self._context.clock.monotonic_s()
                delay_s = self._backoff.next_s()
                self._died(Death.FENCED if fenced else Death.UNAVAILABLE, error, retry_s=round(delay_s, 3))
                await asyncio.sleep(delay_s)

    def _may_open(self, died_s: float | None) -> bool:
        return may_open(self._context.group, self.partition, died_s=died_s)

    async def _until_may_open(self, died_s: float | None) -> bool:
        """Waits until an agent may be opened. False: the partition is wanted no more."""
        while self.wanted:
            if self._may_open(died_s):
                return True
            await asyncio.sleep(_LOOK_S)
        return False

    async def _live(self, died_s: float | None) -> None:
        """Opens an agent, steps it and closes it when it is wanted no more. Raises what it died of."""
        context = self._context
        try:
            while self.agent is None:
                if not await self._until_may_open(died_s):
                    return
                async with context.restores:
                    if self._may_open(died_s):  # still: others may have restored for long before it
                        self.agent = await self._open()
            context.open_agents += 1
            await self._work(self.agent)
        finally:
            self.restoring = None
            if self.agent is not None:
                agent, self.agent, self.watch = self.agent, None, None
                context.open_agents -= 1
                context.busy_s.pop(self.partition, None)
                await agent.close()
        self._closed("given back")

    async def _open(self) -> PartitionAgent:
        context, clock = self._context, self._context.clock
        began_s, records = clock.monotonic_s(), 0

        def on_restore(done: int, total: int) -> None:
            nonlocal records
            records, self.restoring = done, (done, total)
            context.meters.restoring(self.partition, done, total)
            if clock.monotonic_s() - self._restore_logged_s >= _RESTORE_LOGGED_EVERY_S:
                self._restore_logged_s = clock.monotonic_s()
                context.logger.info("restoring", partition=self.partition, done=done, total=total)

        context.logger.info("opening", partition=self.partition)
        self._opening_logged = True
        self.restoring, self._restore_logged_s = (0, 0), began_s
        agent = await context.open(self.partition, on_restore)
        self.restoring = None
        collector.after_restore()
        took_s = clock.monotonic_s() - began_s
        context.meters.opened(self.partition, took_s, records)
        context.logger.info("opened", partition=self.partition, seconds=round(took_s, 3), records=records)
        return agent

    async def _work(self, agent: PartitionAgent) -> None:
        context, clock = self._context, self._context.clock
        idle_after_s = context.settings.idle_after / 1000
        watch = self.watch = OpenTransactionWatch(
            self.partition, meters=context.meters, logger=context.logger, clock=clock
        )
        more = False  # timers or tidying are due that the last batch had no room for
        record_s = committed_s = clock.monotonic_s()  # when the last record came, when the last commit began
        while self._release_s is None or clock.monotonic_s() < self._release_s:
            began_s = clock.monotonic_s()
            agent.budget_s = fold_budget_s(context.settings.kafka.fold_budget / 1000, context.open_agents)
            due = began_s - committed_s >= (CHECKPOINT_EVERY_S if self.wanted else _NOTICE_EVERY_S)
            idle = began_s - record_s >= idle_after_s and (due or more)
            checkpoint = due or agent.has_progress_to_show
            step = await agent.step(clock_ms=clock.wall_ms() if idle else None, checkpoint=checkpoint)
            more = step.more
            watch.observe(step)
            if step.records:
                record_s = context.busy_s[self.partition] = clock.monotonic_s()
            if step.written:
                committed_s = began_s
                self._backoff.reset()
            took_s, interval_s = clock.monotonic_s() - began_s, context.interval_s(began_s)
            await asyncio.sleep(rest_s(step, took_s=took_s, interval_s=interval_s))

    def _died(self, reason: Death, error: BaseException, **about: Any) -> None:
        self._opening_logged = False
        self._context.meters.died(self.partition, reason)
        logger = self._context.logger
        log = logger.error if reason is Death.DEFECT else logger.warning
        detail = f"{type(error).__name__}: {error}"
        log("died", partition=self.partition, reason=reason.value, error=detail, **about)

    def _closed(self, reason: str) -> None:
        self._context.meters.closed(self.partition)
        if self._opening_logged:
            self._context.logger.info("closed", partition=self.partition, reason=reason)
            self._opening_logged = False


def raised_by_client(error: BaseException) -> bool:
    """True if aiokafka raised this error, and not our code.

    While a broker comes back, assertions of aiokafka fail (one is that there are brokers at all). Such errors
    pass, like others of a cluster.
    """
    innermost, trace = "", error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith(("streams.", "aiokafka.")):
            innermost = name
        trace = trace.tb_next
    return innermost.startswith("aiokafka.")
