"""Workers of one app over the memory log, in virtual time: the product's own worker, agents and
assignment, in a group that lives in this process.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from structlog import DropEvent
from structlog.typing import EventDict, FilteringBoundLogger

from streams.core.ingest.partition import partition_of
from streams.core.processing.checkpoint import decode_checkpoint
from streams.core.processing.committed import Committed
from streams.log.memory import MemoryLog
from streams.queries.verify import verify
from streams.records import NewRecord
from streams.runtime.worker import Worker
from streams.settings.tables import Settings
from streams.telemetry.meters import Death, Meters
from tests.core.processing.feeding import START, event, rules
from tests.runtime.group import LocalGroup, LocalMember
from tests.runtime.virtual import VirtualClock, now_s

PEOPLE = 97
SETTINGS = Settings.model_validate({"batch": 50, "idle_after": "60s"})


class Line(NamedTuple):
    """A line of a worker's log."""

    at_s: float
    worker: str
    event: str
    about: dict[str, Any]


def logger_into(lines: list[Line], worker: str) -> FilteringBoundLogger:
    """A logger whose lines are kept."""

    def keep(_: Any, level: str, about: EventDict) -> EventDict:
        lines.append(Line(now_s(), worker, about.pop("event"), dict(about)))
        raise DropEvent

    wrapper = structlog.make_filtering_bound_logger(logging.DEBUG)
    logger: FilteringBoundLogger = structlog.wrap_logger(None, processors=[keep], wrapper_class=wrapper)
    return logger


class Figures(Meters):
    """A worker's meters, which keep what they receive."""

    def __init__(self) -> None:
        super().__init__(VirtualClock(START))
        self.deaths: Counter[str] = Counter()
        self.open: set[int] = set()
        self.steps: list[tuple[float, Committed]] = []  # when, and what

    def opened(self, partition: int, seconds: float, records: int) -> None:
        super().opened(partition, seconds, records)
        assert partition not in self.open
        self.open.add(partition)

    def committed(self, step: Committed) -> None:
        super().committed(step)
        assert step.partition in self.open
        self.steps.append((now_s(), step))

    def closed(self, partition: int) -> None:
        super().closed(partition)
        self.open.discard(partition)

    def died(self, partition: int, reason: Death) -> None:
        super().died(partition, reason)
        self.deaths[reason] += 1


class Crew:
    """A log, a group, and workers who come and go."""

    def __init__(
        self, partitions: int = 4, settings: Settings = SETTINGS, faults: Callable[[str], None] | None = None
    ) -> None:
        self.log, self.group, self.settings = MemoryLog(partitions, faults), LocalGroup(partitions), settings
        self.lines: list[Line] = []
        self.figures: dict[str, Figures] = {}
        self.members: dict[str, LocalMember] = {}
        self.workers: dict[str, Worker] = {}
        self._stops: dict[str, asyncio.Event] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self.funnel_writers: list[str] = []  # who writes the funnel now
        self.funnel_ends, self.funnel_fails = 0, False
        self._sent = 0

    def hire(self, name: str, static: bool = False, settings: Settings | None = None) -> Worker:
        """A worker that begins to run."""
        self.figures[name], self.members[name], self._stops[name] = (
            Figures(),
            LocalMember(self.group, name, static),
            asyncio.Event(),
        )
        worker = Worker(
            self.log,
            settings or self.settings,
            rules(),
            membership=self.members[name],
            meters=self.figures[name],
            logger=logger_into(self.lines, name),
            clock=VirtualClock(START),
            draw=random.Random(name).random,
            keep_funnel=lambda: self._write_funnel(name),
        )
        self.workers[name] = worker
        self._runs[name] = asyncio.create_task(worker.run(self._stops[name]))
        return worker

    async def _write_funnel(self, name: str) -> None:
        """Stands for the writer of the funnel: it holds its place until it is cancelled, or fails."""
        self.funnel_writers.append(name)
        try:
            if self.funnel_fails:
                raise OSError("the writer of the funnel has failed")
            await asyncio.Event().wait()
        finally:
            self.funnel_writers.remove(name)
            self.funnel_ends += 1

    def ask_to_stop(self, name: str) -> None:
        self._stops[name].set()

    async def ended(self, name: str) -> None:
        """Raises what it ended by."""
        await self._runs[name]

    async def dismiss(self, name: str) -> None:
        self.ask_to_stop(name)
        await self.ended(name)

    async def send(self, count: int, astray: bool = False) -> None:
        """So many events, dated now, each into the partition of the person it is
        about; `astray`: into any, to be handed over.
        """
        records = []
        for number in range(self._sent, self._sent + count):
            user = str(number % PEOPLE)
            to = number % self.log.partitions if astray else partition_of(user.encode(), self.log.partitions)
            value = event(
                int(now_s() * 1000), f"e{number}", "Bought" if number % 7 == 0 else "Looked", user=user
            )
            records.append(NewRecord(to, None, value, START + int(now_s() * 1000)))
        self._sent += count
        await self.log.append(records)

    async def open_everywhere(self, *names: str) -> None:
        """Until each of these has what it should have, and all partitions are open."""
        while True:
            found = [self.workers[name].status() for name in names]
            opened = sorted(number for one in found for number in one.opened)
            for name in names:
                if self._runs[name].done():
                    await self.ended(name)
            if opened == list(range(self.log.partitions)) and all(
                one.joined and one.opened == one.assigned for one in found
            ):
                return
            await asyncio.sleep(0.01)

    async def caught_up(self) -> None:
        """Until all that was sent is processed."""
        while await self.behind():
            for name in [
                name for name, run in self._runs.items() if run.done() and not self._stops[name].is_set()
            ]:
                await self.ended(name)
            await asyncio.sleep(0.05)

    async def behind(self) -> int:
        """Records that are there, sent or handed over, and not committed as read."""
        decoded = [decode_checkpoint(raw) for raw in await self.log.checkpoints() if raw is not None]
        read = sum(position.offset for one in decoded for position in one.sources.values())
        return sum((await self.log.ends()).values()) - read

    async def exact(self, so_far: bool = False) -> None:
        """What was published is what there was: nothing lost, nothing
        twice. `so_far`: of what was processed.
        """
        found = await verify(self.log, lambda done, total: None)
        assert found.difference is None
        assert so_far or found.records >= self._sent

    async def until(self, what: Callable[[], bool]) -> None:
        """Lets virtual time pass until this is so."""
        async with asyncio.timeout(600):
            while not what():
                await asyncio.sleep(0.1)

    def logged(self, event: str, worker: str | None = None) -> list[Line]:
        return [line for line in self.lines if line.event == event and worker in (None, line.worker)]
