"""Keeps one partition: opens an agent when the group wants the partition here, steps it, and opens another when it has died.

An agent whose partition is wanted elsewhere works on until the new owner fences it, and not for ever: so nobody waits while the new owner restores,
and an agent whose partition comes back has never been away.
"""

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from streams.backoff import Backoff
from streams.errors import ConfigError, Fenced, Incompatible, Refused, StreamsError
from streams.runtime.pace import (
    ACTIVE_S,
    CHECKPOINT_EVERY_S,
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    Group,
    Turn,
    interval_s,
    largest_batch,
    may_open,
    rest_s,
)
from streams.telemetry.metrics import Death, Stepped

RESTORES = (
    2  # at once: each holds its state twice for a while, and more than two only wait for each other's turn
)
LOOK_S = 0.02  # between looks at whether an agent may be opened
SAID_EVERY_S = 5.0  # lines about one restore
NOTICE_EVERY_S = (
    0.5  # an agent that is wanted elsewhere and has nothing to say asks so often whether it was replaced
)
GC_THRESHOLD = 50_000  # the state is long-lived and has no cycles: looking through it every 700 objects is a tenth of the time

Restoring = Callable[[int, int], None]


class PartitionAgent(Protocol):
    """What is needed of `streams.runtime.partition_agent.Agent`."""

    batch: int

    @property
    def busy(self) -> bool: ...
    @property
    def stepped(self) -> Stepped: ...
    async def step(
        self, clock_ms: int | None = None, watermark_ms: int | None = None, checkpoint: bool = False
    ) -> int: ...
    async def close(self) -> None: ...


class Meters(Protocol):
    """What is needed of `streams.telemetry.metrics.Meters`."""

    def assigned(self, partitions: Collection[int]) -> None: ...
    def restoring(self, partition: int, done: int, total: int) -> None: ...
    def opened(self, partition: int, seconds: float, records: int) -> None: ...
    def stepped(self, partition: int, agent: Any) -> None: ...
    def closed(self, partition: int) -> None: ...
    def died(self, partition: int, reason: Death) -> None: ...


class Log(Protocol):
    """What is needed of a structlog logger."""

    def info(self, event: str, **about: Any) -> Any: ...
    def warning(self, event: str, **about: Any) -> Any: ...
    def error(self, event: str, **about: Any) -> Any: ...


Open = Callable[[int, Restoring], Awaitable[PartitionAgent]]


class Common:
    """What all keepers of a worker share."""

    def __init__(
        self,
        open: Open,
        group: Group,
        interval_s: float,
        idle_s: float,
        batch: int,
        meters: Meters,
        log: Log,
        clock: Callable[[], float],
    ) -> None:
        """`interval_s`: shortest time between two commits of a partition. `idle_s`: quiet after which the wall clock moves timers."""
        self.open, self.group, self.interval_s, self.idle_s, self.batch, self.meters, self.log = (
            open,
            group,
            interval_s,
            idle_s,
            batch,
            meters,
            log,
        )
        self.restores = asyncio.Semaphore(RESTORES)  # first come, first served
        self.agents = 0  # open now
        self.at_work: dict[int, float] = {}  # when a partition committed records last
        self.clock = clock
        self.wall_ms: Callable[[], int] = _wall_ms
        self.draw: Callable[[], float] = random.random

    def pause_s(self, now_s: float) -> float:
        """Between two commits of a partition, for now."""
        return interval_s(self.interval_s, sum([now_s - at_s < ACTIVE_S for at_s in self.at_work.values()]))


class Supervisor:
    """One partition of a worker. `run` is its task, which ends when the partition is not wanted any more, and raises what ends the worker."""

    def __init__(self, partition: int, common: Common) -> None:
        self.partition, self.common = partition, common
        self.agent: PartitionAgent | None = None
        self.restoring: tuple[int, int] | None = None
        self._begun = False  # it was said that an agent is being opened, and not that it is closed
        self._until_s: float | None = None  # an agent that is wanted elsewhere works until then
        self._backoff = Backoff(first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S, draw=common.draw)
        self._said_s = 0.0

    @property
    def wanted(self) -> bool:
        return self._until_s is None

    def want(self) -> None:
        """The partition belongs here (again)."""
        self._until_s = None

    def release(self, until_s: float) -> None:
        """The partition belongs elsewhere. The earliest time given holds."""
        self._until_s = until_s if self._until_s is None else min(self._until_s, until_s)

    async def run(self) -> None:
        """Raises what trying again cannot help (Incompatible, ConfigError, Refused), and whatever is a defect."""
        died_s: float | None = None
        while True:
            try:
                await self._live(died_s)
                return
            except (Incompatible, ConfigError, Refused) as error:
                self.common.meters.closed(self.partition)
                self.common.log.error("died", partition=self.partition, reason="refused", error=str(error))
                raise
            except asyncio.CancelledError:
                self._closed("dropped")
                raise
            except Exception as error:
                if not isinstance(error, StreamsError) and not of_the_client(error):
                    self._died("defect", error, exc_info=True)
                    raise
                if not self.wanted:
                    self._closed(
                        "taken over" if isinstance(error, Fenced) else f"{type(error).__name__}: {error}"
                    )
                    return
                died_s = self.common.clock()
                delay_s = self._backoff.next_s()
                self._died(
                    "fenced" if isinstance(error, Fenced) else "unavailable", error, retry_s=round(delay_s, 3)
                )
                await asyncio.sleep(delay_s)

    async def _may_open(self, died_s: float | None) -> bool:
        """Waits until an agent may be opened. False: it is not wanted any more."""
        while self.wanted:
            if may_open(self.common.group, self.partition, died_s):
                return True
            await asyncio.sleep(LOOK_S)
        return False

    async def _live(self, died_s: float | None) -> None:
        """From opening an agent to closing it. Returns when it is not wanted any more, raises what it died of."""
        common = self.common
        try:
            while self.agent is None:
                if not await self._may_open(died_s):
                    return
                async with common.restores:
                    if may_open(
                        common.group, self.partition, died_s
                    ):  # still: others may have been in front for long
                        self.agent = await self._open()
            common.agents += 1
            await self._work(self.agent)
        finally:
            self.restoring = None
            if self.agent is not None:
                agent, self.agent = self.agent, None
                common.agents -= 1
                common.at_work.pop(self.partition, None)
                await agent.close()
        self._closed("given back")

    async def _open(self) -> PartitionAgent:
        common, began_s, records = self.common, self.common.clock(), 0

        def on_restore(done: int, total: int) -> None:
            nonlocal records
            records, self.restoring = done, (done, total)
            common.meters.restoring(self.partition, done, total)
            if common.clock() - self._said_s >= SAID_EVERY_S:
                self._said_s = common.clock()
                common.log.info("restoring", partition=self.partition, done=done, total=total)

        common.log.info("opening", partition=self.partition)
        self._begun = True
        self.restoring, self._said_s = (0, 0), began_s
        agent = await common.open(self.partition, on_restore)
        self.restoring = None
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 100)
        took_s = common.clock() - began_s
        common.meters.opened(self.partition, took_s, records)
        common.log.info("opened", partition=self.partition, seconds=round(took_s, 3), records=records)
        return agent

    async def _work(self, agent: PartitionAgent) -> None:
        common = self.common
        record_s = committed_s = common.clock()  # when the last record came, when the last commit began
        while self._until_s is None or common.clock() < self._until_s:
            began_s = common.clock()
            agent.batch = largest_batch(common.batch, common.agents)
            due = began_s - committed_s >= (CHECKPOINT_EVERY_S if self.wanted else NOTICE_EVERY_S)
            idle = began_s - record_s >= common.idle_s and (due or agent.busy)
            records = await agent.step(clock_ms=common.wall_ms() if idle else None, checkpoint=due)
            common.meters.stepped(self.partition, agent)
            if records:
                record_s = common.at_work[self.partition] = common.clock()
            if agent.stepped.committed:
                committed_s = began_s
                self._backoff.reset()
            turn = Turn(common.clock() - began_s, records, agent.stepped.committed, agent.busy)
            await asyncio.sleep(rest_s(turn, common.pause_s(began_s)))

    def _died(self, reason: Death, error: BaseException, **about: Any) -> None:
        self._begun = False
        self.common.meters.died(self.partition, reason)
        say = self.common.log.error if reason == "defect" else self.common.log.warning
        say(
            "died", partition=self.partition, reason=reason, error=f"{type(error).__name__}: {error}", **about
        )

    def _closed(self, reason: str) -> None:
        self.common.meters.closed(self.partition)
        if self._begun:
            self.common.log.info("closed", partition=self.partition, reason=reason)
            self._begun = False


def of_the_client(error: BaseException) -> bool:
    """Whether it was raised inside aiokafka. With a broker that is just coming back it meets what it does not expect (it asserts, say, that there

    are brokers at all), and that passes as other errors of a cluster do.
    """
    last, trace = "", error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith(("streams.", "aiokafka.")):
            last = name
        trace = trace.tb_next
    return last.startswith("aiokafka.")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
