"""The partition agent: owns one partition of the input, and everything that is known about the people in it.

    open (fences the former owner) -> restore -> read -> process -> commit -> read ...

The commit is the only effect. What was not committed is done again from the last checkpoint, and what was
committed is never done again. After any error the agent is dead, because its memory may be ahead of its log:
drop it and open another.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence

import msgspec

from streams.clock import Clock
from streams.core.moments.rules import Rules
from streams.core.processing.checkpoint import REPLAY, Checkpoint, copy_of_counts, decode_checkpoint
from streams.core.processing.clock_errors import ClockErrors
from streams.core.processing.committed import Committed, DeviceFigures, Observer, Reasons
from streams.core.processing.held_profile import reach_of
from streams.core.processing.processor import Processor
from streams.core.processing.progress import progress_record
from streams.core.processing.watermark import PeerProgress
from streams.errors import Incompatible
from streams.log.port import Log, Restoring, Session
from streams.records import Batch, Fetched, StateRecord
from streams.runtime import collector
from streams.runtime.between_batches import BetweenBatches
from streams.runtime.pace import TURN_S
from streams.runtime.parameters import door_of_settings, parameters_of
from streams.settings.fold import FoldSettings
from streams.settings.tables import Settings

# How often a partition that others wait for reports its watermark. Each report is a record to every other
# partition.
REPORT_EVERY_S = 2.0
# The silence of a peer is measured between looks of this partition. Of the time between two looks at most
# this share of `exclude_after` counts: a partition that was itself away would else exclude all others.
COUNTED_SHARE = 0.1
# Between two `progress` records of a partition: a page is looked at no more often.
PROGRESS_EVERY_S = 1.0
# One read: few enough that turning them into records takes some milliseconds, many enough that the cost of a
# read is small.
READ_RECORDS = 2_000
# A batch ends when the records that it has read have so many bytes: they and what follows from them are in
# memory until the commit. The last read may go beyond it (by `streams.log.port.LOG_READ_BYTES`).
MAX_BATCH_BYTES = 32 << 20
# More state records than this are restored in a thread, so that this process misses no heartbeat meanwhile.
MAX_RESTORED_INLINE = 10_000


class PartitionAgent:
    """Processes one partition, over any log."""

    def __init__(
        self,
        session: Session,
        processor: Processor,
        settings: Settings,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> None:
        """`observers` are called after each step, in order."""
        self.session, self.processor, self.batch = session, processor, settings.batch
        # How long a batch may fold, in seconds, while there is more to read; None: as long as it takes, so
        # that batches are cut by count, the same ones whatever the machine.
        self.budget_s: float | None = None
        self.observers, self.clock = observers, clock or Clock()
        self.between_batches, self.reach = BetweenBatches(), reach_of(processor)
        # None: no peer is ever excluded, since all live and die together.
        self.exclude_after_s: float | None = settings.exclude_after / 1000
        # None: reports are not asked for by the clock, so that batches are the same whatever the machine.
        self.report_every_s: float | None = REPORT_EVERY_S
        self._reported_s = self._looked_s = (
            self.clock.monotonic_s()
        )  # the last report, the last look at peers
        # By peer that must report: the last report (None: none yet), and for how long nothing has come since.
        self._silences: dict[int, tuple[PeerProgress | None, float]] = {}
        self.committed_s = self.clock.monotonic_s()  # when the last commit began
        self._shown_s = -PROGRESS_EVERY_S  # when it wrote its last `progress` record
        self._is_shown = True  # nothing was committed after that record

    @classmethod
    async def open(
        cls,
        log: Log,
        partition: int,
        settings: Settings,
        rules: Rules,
        on_restore: Restoring | None = None,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> "PartitionAgent":
        """Takes a partition over, which fences its former owner, and restores its state.

        Raises Incompatible when the state was written with other fold settings or in another format.
        """
        session = await log.open(partition)
        return await cls.restored(
            session, log.partitions, settings, rules, on_restore, observers=observers, clock=clock
        )

    @classmethod
    async def restored(
        cls,
        session: Session,
        partitions: int,
        settings: Settings,
        rules: Rules,
        on_restore: Restoring | None = None,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> "PartitionAgent":
        """Restores a partition that has been taken over already; `partitions`: of the app, in all."""
        try:
            processor = await _restored_processor(session, partitions, settings, rules, on_restore)
        except BaseException:
            await session.close()
            raise
        return cls(session, processor, settings, observers=observers, clock=clock)

    async def step(
        self, clock_ms: int | None = None, watermark_ms: int | None = None, checkpoint: bool = False
    ) -> Committed:
        """Reads one batch, processes it and commits it. When nothing happened, nothing is committed.

        A batch ends where there is nothing more to read, and at its bounds in records, bytes and time.

        `clock_ms`, `watermark_ms`: see `Processor.advance`. They count only when nothing was left to read,
        here and in the partitions that forward to this one. `checkpoint`: commit even when nothing happened,
        so that an idle agent notices that it was replaced.
        """
        processor = self.processor
        before = processor.time_state
        self._follow_peers()
        count, oldest_ms = await self._take_batch()
        caught_up = not count and not processor.waiting and not processor.tracker.waiting_for
        done = processor.advance(clock_ms if caught_up else None, watermark_ms if caught_up else None)
        # A report that is due is written whether or not it was due before: the others may wait for it.
        is_due = processor.tracker.pending_report is not None
        written = bool(count) or checkpoint or is_due or processor.time_state != before
        retracted, outputs, commit_s = 0, 0, 0.0
        reasons: Reasons = {}
        clock_errors: ClockErrors = {}
        if written:
            processor.publish()
            retracted, reasons = processor.open.retracted, processor.open.reasons
            clock_errors = processor.open.clocks.errors
            batch = processor.batch()
            outputs = len(batch.outputs)
            batch = self._with_progress(batch)
            self.committed_s = self.clock.monotonic_s()
            self.between_batches.commit(batch)
            await self.session.commit(batch)
            commit_s = self.clock.monotonic_s() - self.committed_s
        self.reach = reach_of(processor)
        self.between_batches.end()
        state = processor.checkpoint
        committed = Committed(
            partition=processor.partition,
            records=count,
            written=written,
            more=not done or bool(processor.waiting),
            totals=copy_of_counts(state.counts),
            reasons=reasons,
            clock_errors=clock_errors,
            outputs=outputs,
            retracted=retracted,
            journeys=processor.windows.figures.figures(),
            devices=DeviceFigures() if processor.connector is None else processor.connector.figures,
            rev=state.rev,
            expired_corrections=state.expired_corrections,
            excluded=len(processor.tracker.excluded),
            holding=len(processor.tracker.holding),
            watermark_ms=state.watermark_ms,
            settled_mark_ms=state.settled_mark_ms,
            lags=dict(self.session.lags()),
            hidden=dict(self.session.hidden()),
            commit_s=commit_s,
            oldest_ms=oldest_ms,
        )
        for observe in self.observers:
            observe(committed)
        return committed

    @property
    def has_progress_to_show(self) -> bool:
        """True if it is time to commit for the sake of the `progress` record alone: the last one lacks what
        was committed since.
        """
        return not self._is_shown and self.clock.monotonic_s() - self._shown_s >= PROGRESS_EVERY_S

    async def show_progress(self) -> None:
        """Commits what the last `progress` record lacks, whenever that was. For the end of an input."""
        if not self._is_shown:
            self._shown_s = -PROGRESS_EVERY_S
            await self.step(checkpoint=True)

    def _with_progress(self, batch: Batch) -> Batch:
        """The batch with the `progress` record, if it is time for one."""
        now_s = self.clock.monotonic_s()
        self._is_shown = now_s - self._shown_s >= PROGRESS_EVERY_S
        if not self._is_shown:
            return batch
        self._shown_s = now_s
        shown = progress_record(self.processor, self.clock.wall_ms(), self.session.lags())
        return Batch([*batch.outputs, shown], batch.state, batch.checkpoint)

    async def _take_batch(self) -> tuple[int, int]:
        """Reads and folds until the batch is full or nothing is left to read.

        Returns the number of records, and when the oldest of the first read was appended (ms).
        """
        count, size, oldest_ms, left_s = 0, 0, -1, self.budget_s
        while True:
            limit = min(READ_RECORDS, self.batch - count)
            fetched = await self.session.read(self.processor.tracker.offsets, limit)
            if not count:
                oldest_ms = _oldest_ms(fetched)
            size += sum([len(record.value or b"") for _, records in fetched.chunks for record in records])
            self.between_batches.begin()
            folded_s = await self._fold(fetched)
            # Redriven items begin a batch: they wait until what is due before them was done.
            waiting = self.processor.waiting
            count += fetched.count - waiting
            if left_s is not None:
                left_s -= folded_s
                if left_s <= 0:
                    break
            if (
                waiting
                or not fetched.count
                or count >= self.batch
                or size >= MAX_BATCH_BYTES
                or not self.is_behind()
            ):
                break
        return count, oldest_ms

    async def _fold(self, fetched: Fetched) -> float:
        """Folds what was read, and gives the loop a turn now and then. Returns the seconds of processor that
        it took: on a busy machine batches stay as large as they are.
        """
        clock, total_s = self.clock, 0.0
        began_s, turn_s = clock.processor_s(), clock.monotonic_s()
        for _ in self.processor.take_in_runs(fetched):
            if clock.monotonic_s() - turn_s >= TURN_S:
                total_s += clock.processor_s() - began_s
                await asyncio.sleep(0)
                began_s, turn_s = clock.processor_s(), clock.monotonic_s()
        return total_s + clock.processor_s() - began_s

    def is_behind(self) -> bool:
        """True if there is more to read now: records that no open transaction hides."""
        hidden = self.session.hidden()
        return any(
            lag > (hidden[source].offsets if source in hidden else 0)
            for source, lag in self.session.lags().items()
        )

    def _follow_peers(self) -> None:
        """Has this partition report often enough, and excludes peers that have been silent for too long."""
        tracker, now_s = self.processor.tracker, self.clock.monotonic_s()
        pause_s, self._looked_s = now_s - self._looked_s, now_s
        if not tracker.forwarding:
            return
        if self.report_every_s is not None and now_s - self._reported_s >= self.report_every_s:
            self._reported_s = now_s
            tracker.request_report()
        if self.exclude_after_s is None:
            return
        tracker.was_away |= pause_s > self.exclude_after_s
        counted_s = min(pause_s, self.exclude_after_s * COUNTED_SHARE)
        silences: dict[int, tuple[PeerProgress | None, float]] = {}
        for number in tracker.expected:
            last = tracker.peers.get(number)
            known, silent_s = self._silences.get(number, (last, 0.0))
            silences[number] = last, silent_s + counted_s if known is last else 0.0
            if silences[number][1] > self.exclude_after_s:
                tracker.excluded.add(number)
        self._silences = silences

    async def catch_up(self, watermark_ms: int | None = None) -> None:
        """Steps until there is nothing left to read and no timer left to fire."""
        while (step := await self.step(watermark_ms=watermark_ms)).records or step.more:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Gives the partition back without a commit."""
        self.between_batches.close()
        await self.session.close()


async def _restored_processor(
    session: Session, partitions: int, settings: Settings, rules: Rules, on_restore: Restoring | None
) -> Processor:
    stored, records = await session.restore(on_restore)
    fold = settings.fold
    parameters = parameters_of(fold)
    processor = Processor(
        session.partition, parameters, fold.record(), rules, door_of_settings(settings), partitions
    )
    try:
        with collector.paused():
            if stored is None:
                processor.restore(None, [])
            else:
                await _restore(processor, _checked(stored, fold), records)
    except (msgspec.MsgspecError, struct.error, KeyError, ValueError) as error:
        raise Incompatible(
            f"the state of partition {session.partition} cannot be read ({error!r}): it is damaged, or no "
            f"released version wrote it: {REPLAY}"
        ) from error
    processor.tracker.read_from(session.sources)
    if session.round_robin and partitions > 1:
        processor.tracker.forwarding = True
    return processor


async def _restore(processor: Processor, last: Checkpoint, records: AsyncIterator[StateRecord]) -> None:
    state = [record async for record in records]
    if len(state) > MAX_RESTORED_INLINE:
        await asyncio.to_thread(processor.restore, last, state)
    else:
        processor.restore(last, state)


def _checked(stored: bytes, fold: FoldSettings) -> Checkpoint:
    last = decode_checkpoint(stored)
    if difference := fold.difference(last.fold):
        raise Incompatible(
            f"the data was folded under other settings:\n{difference}\nNumbers folded under different rules"
            f" do not add up: put the settings back, or {REPLAY}"
        )
    return last


def _oldest_ms(fetched: Fetched) -> int:
    return min([records[0].time_ms for _, records in fetched.chunks], default=-1)
