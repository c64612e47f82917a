"""The partition agent: owns one partition of the input, and everything that is known of the people in it.

    open (fences whoever had it) -> restore -> read -> step -> commit -> read ...

The commit is the only effect. Whatever happens in between is done again from the last checkpoint; whatever was committed is not.
After any error the agent is dead: its memory may be ahead of its log. Drop it and open another.
"""

import asyncio
import gc
import struct
import time
from collections import Counter

import msgspec

from streams.core.funnels.dimensions import Dimension, Dimensions
from streams.core.journeys.machine import Patience
from streams.core.moments.rules import Rules
from streams.core.processing.parameters import Parameters
from streams.core.processing.step import Processor
from streams.core.processing.upgrade import upgrade
from streams.core.processing.watermark import PeerProgress
from streams.errors import Incompatible
from streams.log.port import Log, Restoring, Session
from streams.records import Batch
from streams.settings.fold import FoldSettings
from streams.settings.tables import Settings
from streams.topology import LATE, REJECTED


def plan(fold: FoldSettings) -> Parameters:
    """What these settings come to for the core."""
    patience = fold.patience
    return Parameters(
        patience=Patience(
            (patience.know, patience.go, patience.do, patience.buy),
            abandon=fold.abandon_after,
            refund=fold.refund_window,
            join=fold.join_window,
        ),
        allowed_lateness_ms=fold.allowed_lateness,
        dimensions=Dimensions(
            [Dimension(name, tuple(d.values), d.path, d.aliases) for name, d in fold.dimensions.items()]
        ),
        needs=tuple(fold.need),
        tenant=fold.tenant,
        orders=tuple(fold.order_id),
        at_home=fold.home == "murmur2",
    )


TELL_EVERY_S = 2.0  # a partition whose events others wait for says how far it is; each time is a record to every other partition
RESTORED_ASIDE = 10_000  # state records: more are put together in a thread, so that nobody in this process misses a heartbeat


class Stepped(msgspec.Struct, frozen=True):
    """What the last step did, for whoever keeps an eye on it."""

    records: int = 0
    outputs: int = 0
    retracted: int = 0  # transitions that were taken back
    committed: bool = False
    commit_s: float = 0.0
    oldest_ms: int = -1  # when the oldest record of the batch had been appended, milliseconds since 1970 UTC; -1: there was none, or it did not say
    rejected: Counter[str] = msgspec.field(default_factory=Counter)  # by reason
    late: Counter[str] = msgspec.field(default_factory=Counter)


class PartitionAgent:
    """One partition's worker over any log."""

    def __init__(self, session: Session, processor: Processor, batch: int, silence_s: float) -> None:
        """`silence_s`: a partition that hands over events, and says nothing for so long, is not waited for."""
        self.session, self.processor, self.batch, self.silence_s = session, processor, batch, silence_s
        self._told_s = 0.0  # when the other partitions were told last how far this one is
        self._heard: dict[
            int, tuple[PeerProgress | None, float]
        ] = {}  # of whom it waits for: what was heard last, and since when
        self.busy = False  # time has passed further than one batch could follow
        self.stepped = Stepped()

    @classmethod
    async def open(
        cls, log: Log, partition: int, settings: Settings, rules: Rules, on_restore: Restoring | None = None
    ) -> "PartitionAgent":
        """Takes the partition over and restores it. Raises Incompatible when it was folded under other settings or in another format."""
        return await cls.restored(await log.open(partition), log.partitions, settings, rules, on_restore)

    @classmethod
    async def restored(
        cls,
        session: Session,
        partitions: int,
        settings: Settings,
        rules: Rules,
        on_restore: Restoring | None = None,
    ) -> "PartitionAgent":
        """The same for a partition that has been taken over already; `partitions`: in all."""
        try:
            return await cls._restored(session, partitions, settings, rules, on_restore)
        except BaseException:
            await session.close()
            raise

    @classmethod
    async def _restored(
        cls, session: Session, partitions: int, settings: Settings, rules: Rules, on_restore: Restoring | None
    ) -> "PartitionAgent":
        stored, records = await session.restore(on_restore)
        fold = settings.fold
        processor = Processor(session.partition, plan(fold), fold.record(), rules, settings.skew, partitions)
        gc.disable()  # a restore makes millions of objects and no garbage
        try:
            last = None if stored is None else upgrade(stored, [record async for record in records])
            if last is not None and (difference := fold.difference(last.checkpoint.fold)):
                raise Incompatible(
                    f"the data was folded under other settings:\n{difference}\nNumbers folded under different rules do not add up: put the settings"
                    " back, or start a new data directory and replay"
                )
            if last is None:
                processor.restore(None, [])
            elif len(last.state) > RESTORED_ASIDE:
                await asyncio.to_thread(processor.restore, last.checkpoint, last.state)
            else:
                processor.restore(last.checkpoint, last.state)
        except (msgspec.MsgspecError, struct.error, KeyError, ValueError) as error:
            raise Incompatible(
                f"the state of partition {session.partition} cannot be read ({error!r}): it is damaged, or no released version wrote it:"
                " start a new app id or data directory, and replay"
            ) from error
        finally:
            gc.enable()
        processor.progress.reads(session.sources)
        if session.round_robin and processor.plan.at_home and partitions > 1:
            processor.progress.forwarding = True
        if last is not None and last.rewritten is not None:
            batch = processor.batch()
            await session.commit(Batch(batch.outputs, [*last.rewritten, *batch.state], batch.checkpoint))
        return cls(session, processor, settings.batch, settings.exclude_after / 1000)

    async def step(
        self, clock_ms: int | None = None, watermark_ms: int | None = None, checkpoint: bool = False
    ) -> int:
        """Reads one batch, folds it and commits. Returns how many records it read; nothing is committed when nothing happened.

        `clock_ms`, `mark_ms`: see `Pipeline.advance`; they count only when there was nothing left to read, here and in the partitions that hand
        over to this one. `checkpoint`: commits also when nothing happened: so an idle agent notices that it was replaced.
        """
        processor = self.processor
        reading = await self.session.read(processor.progress.offsets, self.batch)
        before = processor.marks
        self._listen()
        processor.take(reading)
        count = reading.count
        caught_up = not count and not processor.progress.waiting_for
        self.busy = not processor.advance(
            clock_ms if caught_up else None, watermark_ms if caught_up else None
        )
        committed = bool(count) or checkpoint or processor.marks != before
        took_s, outputs, retracted = 0.0, 0, processor.retracted
        reasons = {REJECTED.name: Counter[str](), LATE.name: Counter[str]()}
        for output in processor.set_aside:
            reasons[output.topic][output.headers[0][1].decode()] += 1
        if committed:
            batch = processor.batch()
            outputs = len(batch.outputs)
            began = time.perf_counter()
            await self.session.commit(batch)
            took_s = time.perf_counter() - began
        oldest_ms = min([records[0].time_ms for _, records in reading.chunks], default=-1)
        self.stepped = Stepped(
            count,
            outputs,
            retracted,
            committed,
            took_s,
            oldest_ms,
            reasons[REJECTED.name],
            reasons[LATE.name],
        )
        return count

    def _listen(self) -> None:
        """Sees to it that the others hear of this one, and lets go of partitions that have been silent for too long."""
        progress, now_s = self.processor.progress, time.monotonic()
        if not progress.forwarding:
            return
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            progress.nudge()
        heard: dict[int, tuple[PeerProgress | None, float]] = {}
        for number in progress.waiting_for:
            last = progress.peers.get(number)
            known = self._heard.get(number)
            heard[number] = known if known is not None and known[0] is last else (last, now_s)
            if now_s - heard[number][1] > self.silence_s:
                progress.excluded.add(number)
        self._heard = heard

    async def catch_up(self, watermark_ms: int | None = None) -> None:
        """Steps until there is nothing left to read and no timer left to fire."""
        while await self.step(watermark_ms=watermark_ms) or self.busy:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Gives the partition back; what was not committed is not."""
        await self.session.close()
